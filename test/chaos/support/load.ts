import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openPool } from '../../../functions/platform/pool.ts';
import type { Client } from '../../../schema/client/client.ts';
import { checkInvariants } from '../../support/invariants.ts';
import { type Running, startSystem, type System, until } from '../../support/processes.ts';

const WORKERS = 8;
const HELD = 2;
const TASKS = 6;
const MIDDLE = 14;
const UNFINISHED = 50;
const RUNNING = 5;

type Subtasks = NonNullable<NonNullable<Parameters<Client['submitTask']>[0]['body']>['subtasks']>;
const node = (script: string, ...args: string[]) => ({ argv: ['node', '-e', script, ...args] });

/** About 150 ms of CPU time in its own process. */
const work = node('const end = performance.now() + 150; let n = 0; while (performance.now() < end) n++; console.log(n > 0)');

/** Runs until a file is removed, so that its worker holds it for as long as the test wants. Writes a result and no output. */
const lasting = (gate: string) =>
  node(
    `const { existsSync, writeFileSync } = require('fs');
    const wait = () => existsSync(process.argv[1]) ? setTimeout(wait, 20) : writeFileSync(process.env.MAW_RESULT_FILE, 'true');
    wait();`,
    gate,
  );

const fanOut = (): Subtasks => {
  const middle = Array.from({ length: MIDDLE }, (_, n) => `m${n}`);
  const subtask = (key: string, dependencies: string[] = []) => ({ key, goal: key, tool: 'exec', input: work, dependencies });
  return [subtask('first'), ...middle.map((key) => subtask(key, ['first'])), subtask('last', middle)];
};

const submitAll = async ({ admin }: System, gate: string): Promise<[string, ...string[]]> => {
  const submit = async (goal: string, subtasks: Subtasks) => (await admin.submitTask({ body: { goal, subtasks } })).task_id;
  const held = Array.from({ length: HELD }, (_, n) => ({ key: `h${n}`, goal: 'hold', tool: 'exec', input: lasting(gate) }));
  const ids: [string, ...string[]] = [await submit('held', held)];
  for (let n = 0; n < TASKS; n++) ids.push(await submit(`work ${n}`, fanOut()));
  return ids;
};

const subtasksOf = async ({ admin }: System, ids: readonly string[]) =>
  (await Promise.all(ids.map((task_id) => admin.listSubtasks({ params: { task_id } })))).flatMap((page) => page.items);

export type Held = { worker: Running; subtask_id: string; attempt: number };

/** Waits until the lasting subtasks and several others run. Returns the holders of the lasting ones. */
const untilRunning = (system: System, ids: readonly [string, ...string[]]): Promise<Held[]> =>
  until(`the lasting subtasks and ${RUNNING} in total to run, with ${UNFINISHED} unfinished`, async () => {
    const { items: workers } = await system.admin.listWorkers({ query: { limit: 200 } });
    const subtasks = await subtasksOf(system, ids);
    const unfinished = subtasks.filter((it) => it.ended_at === null).length;
    if (unfinished < UNFINISHED) throw new Error(`too late: only ${unfinished} subtasks are unfinished`);
    const running = subtasks.filter((it) => it.status === 'running');
    const held = running.flatMap(({ task_id, worker_id, subtask_id, attempt }) => {
      const name = workers.find((it) => it.worker_id === worker_id)?.name;
      const worker = system.workers.find((it) => it.name === name);
      return task_id === ids[0] && worker ? [{ worker, subtask_id, attempt }] : [];
    });
    return running.length >= RUNNING && held.length === HELD && held;
  });

/** A system with many subtasks in progress, some of which run until `release` is called. */
export const startLoaded = async () => {
  const system = await startSystem();
  await Promise.all(Array.from({ length: WORKERS }, () => system.addWorker()));
  // Otherwise the first workers would finish too much before the last one starts.
  await until('every worker to be enrolled', async () => (await system.admin.listWorkers()).items.length === WORKERS);
  const gate = join(system.data, '../gate');
  await writeFile(gate, '');
  const ids = await submitAll(system, gate);
  return { system, ids, held: await untilRunning(system, ids), release: () => rm(gate) };
};

const expectInvariants = async (system: System) => {
  const sql = openPool((await system.postgres()).url);
  try {
    expect(await checkInvariants(sql)).toEqual([]);
  } finally {
    await sql.end();
  }
};

/** Checks that every task completes, each subtask completes once, event numbers have no gap, and all invariants of the database hold. */
export const expectSound = async (system: System, ids: readonly string[]) => {
  const { admin } = system;
  const ended = async () => {
    const tasks = await Promise.all(ids.map((task_id) => admin.getTask({ params: { task_id } }).catch(() => null)));
    return tasks.every((task) => task !== null && task.ended_at !== null);
  };
  await until('every task to end', ended, 120_000);
  for (const task_id of ids) {
    const task = await admin.getTask({ params: { task_id } });
    const { items: events } = await admin.listEvents({ params: { task_id }, query: { limit: 1000 } });
    const completed = events.filter((event) => event.type === 'subtask.completed').map((event) => event.subtask_id);
    expect(task).toMatchObject({ status: 'completed', completed_count: task.subtask_count, last_seq: events.length });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, at) => at + 1));
    expect(completed).toHaveLength(task.subtask_count);
    expect(new Set(completed).size).toBe(task.subtask_count);
    expect(events.filter((event) => event.type === 'task.completed')).toHaveLength(1);
  }
  await expectInvariants(system);
};

export const attemptsAt = async ({ admin }: System, { subtask_id }: Held) =>
  (await admin.getSubtask({ params: { subtask_id } })).attempt_list;

/** Checks that the attempt of the worker was lost, and that one later attempt succeeded. */
export const expectTakenOver = async (system: System, held: Held) => {
  const attempts = await attemptsAt(system, held);
  const [succeeded, ...others] = attempts.filter((it) => it.status === 'succeeded');
  expect(attempts.find((it) => it.attempt === held.attempt)?.status).toBe('lost');
  expect(succeeded?.attempt).toBeGreaterThan(held.attempt);
  expect(others).toEqual([]);
};
