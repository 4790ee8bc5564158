import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Claimed } from '../../../schema/attempt.ts';
import type { Backend } from '../../support/backend.ts';
import { enrol, type TestWorker } from '../../support/worker.ts';
import { retryWhileKilled } from './mortal.ts';

export const TOOLS = ['scripted'];
const LOOPS = 4;
const LIMIT = 2;
const POLL_MS = 20;

/** Is called after each turn of a worker. */
export type Disturb = () => unknown;
type Shift = {
  isEnough: () => boolean;
  disturb?: Disturb | undefined;
  ms?: number;
};

/** Workers in this process that work in shifts. Between shifts each keeps what it has claimed. */
export const enrolCrew = async (backend: Backend) => {
  const workers = await Promise.all(Array.from({ length: LOOPS }, (_, n) => enrol(backend, { tools: TOOLS, name: `w${n}` })));
  const held = new Map<TestWorker, Claimed[]>(workers.map((worker) => [worker, []]));
  let completed = 0;
  let turns = 0;

  const turn = async (worker: TestWorker) => {
    const done = held.get(worker) ?? [];
    const { results, next } = await step(worker, done, turns++ % 2 === 0);
    completed += results.filter((result) => result.ok).length;
    held.set(worker, next);
    for (const it of next) if (!it.started) await retryWhileKilled(() => worker.start(it));
    if (done.length + next.length === 0) await pause(POLL_MS);
  };
  return {
    completed: () => completed,
    work: async ({ isEnough, disturb, ms = 90_000 }: Shift) => {
      const end = performance.now() + ms;
      const loop = async (worker: TestWorker) => {
        while (!isEnough()) {
          if (performance.now() > end) throw new Error(`only ${completed} subtasks are completed after ${ms} ms`);
          await turn(worker);
          await disturb?.();
        }
      };
      await Promise.all(workers.map(loop));
    },
  };
};

/** Completes the finished subtasks and claims the next ones: in one request, which needs no Redis, or in two, where the claim asks Redis first. */
const step = async ({ as, worker_id, fence }: TestWorker, done: readonly Claimed[], isAtOnce: boolean) => {
  const params = { worker_id };
  const next = { claim_request_id: randomUUID(), limit: LIMIT, start: true, tools: TOOLS };
  const claim = () => retryWhileKilled(() => as.ok.claimSubtasks({ params, body: next }));
  if (done.length === 0) return { results: [], next: (await claim()).claimed };
  const completions = done.map((it) => ({ subtask_id: it.subtask_id, ...fence(it), result: it.key }));
  const body = { completions, ...(isAtOnce ? { claim: next } : {}) };
  const reply = await retryWhileKilled(() => as.ok.completeSubtasks({ params, body }));
  return { results: reply.results, next: (reply.claim ?? (await claim())).claimed };
};
