import type { Client } from '../../schema/client/client.ts';
import type { Output } from '../../schema/route.ts';
import type { Routes } from '../../schema/routes.ts';
import { listSchedule, type Piece } from './list-schedule.ts';

type Detailed = Output<Routes['getSubtask']>;
type Run = { subtask: Detailed; submittedMs: number };
export type Measured = {
  subtasks: number;
  attempts: number;
  retries: number;
  makespanMs: number;
  idealMs: number;
  efficiency: number;
  latenciesMs: number[];
};

const ms = (time: string | null) => Date.parse(time ?? '');

const collect = async (client: Client, taskIds: readonly string[]): Promise<Run[]> => {
  const runs: Run[] = [];
  for (const task_id of taskIds) {
    const { created_at } = await client.getTask({ params: { task_id } });
    const { items } = await client.listSubtasks({ params: { task_id } });
    const details = await Promise.all(items.map(({ subtask_id }) => client.getSubtask({ params: { subtask_id } })));
    runs.push(...details.map((subtask) => ({ subtask, submittedMs: ms(created_at) })));
  }
  return runs;
};

type Attempted = { id: string; readyMs: number; startMs: number; endMs: number };

/** Every attempt with its earliest possible start. */
const attemptsOf = (runs: readonly Run[], startMs: number): { attempted: Attempted[]; pieces: Piece[] } => {
  const ids = new Map(runs.map(({ subtask }) => [`${subtask.task_id}/${subtask.key}`, subtask]));
  const attempted: Attempted[] = [];
  const pieces: Piece[] = [];
  for (const { subtask, submittedMs } of runs) {
    const parents = subtask.dependencies.map((key) => ids.get(`${subtask.task_id}/${key}`)).filter((it) => it !== undefined);
    let readyMs = Math.max(submittedMs, ...parents.map((parent) => ms(parent.ended_at)));
    let after = parents.map((parent) => `${parent.subtask_id}/${parent.attempt}`);
    let lagMs = 0;
    for (const attempt of subtask.attempt_list.toReversed()) {
      const id = `${subtask.subtask_id}/${attempt.attempt}`;
      const [begun, ended] = [ms(attempt.started_at), ms(attempt.ended_at)];
      attempted.push({ id, readyMs, startMs: begun, endMs: ended });
      pieces.push({ id, durationMs: ended - begun, after, lagMs, releaseMs: submittedMs - startMs });
      // The delay before a retry is set by the retry policy, not the dispatcher. The schedule includes as much of it as really passed.
      lagMs = subtask.retry.base_ms * 2 ** (attempt.attempt - 1) * 0.5;
      readyMs = ended + lagMs;
      after = [id];
    }
  }
  return { attempted, pieces };
};

/** How long ready subtasks waited, counting only those for which a worker was waiting. */
const dispatchLatencies = (attempted: readonly Attempted[], workers: number): number[] =>
  attempted
    .filter(({ id, readyMs }) => {
      const running = attempted.filter((it) => it.startMs <= readyMs && readyMs < it.endMs).length;
      const queued = attempted.filter((it) => it.id !== id && it.readyMs <= readyMs && it.startMs > readyMs).length;
      return running + queued < workers;
    })
    .map(({ readyMs, startMs }) => Math.max(0, startMs - readyMs));

export const measure = async (client: Client, taskIds: readonly string[], workers: number): Promise<Measured> => {
  const runs = await collect(client, taskIds);
  const startMs = Math.min(...runs.map((run) => run.submittedMs));
  const { attempted, pieces } = attemptsOf(runs, startMs);
  const makespanMs = Math.max(...attempted.map((it) => it.endMs)) - startMs;
  const idealMs = listSchedule(pieces, workers);
  return {
    subtasks: runs.length,
    attempts: attempted.length,
    retries: attempted.length - runs.length,
    makespanMs,
    idealMs,
    efficiency: idealMs / makespanMs,
    latenciesMs: dispatchLatencies(attempted, workers),
  };
};
