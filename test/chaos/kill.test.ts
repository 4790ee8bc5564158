import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../schema/events.ts';
import { startSystem, type System, until } from '../support/processes.ts';

const WORKERS = 8;
const TASKS = 6;
const MIDDLE = 18;
const UNFINISHED = 50;
const RUNNING = 5;

/** About 150 ms of work on a processor, in a process of its own. */
const work = {
  argv: ['node', '-e', 'const end = performance.now() + 150; let n = 0; while (performance.now() < end) n++; console.log(n > 0)'],
};

const submitWork = async ({ admin }: System) => {
  const middle = Array.from({ length: MIDDLE }, (_, n) => `m${n}`);
  const subtask = (key: string, dependencies: string[] = []) => ({ key, goal: key, tool: 'exec', input: work, dependencies });
  const subtasks = [subtask('first'), ...middle.map((key) => subtask(key, ['first'])), subtask('last', middle)];
  const ids: string[] = [];
  for (let n = 0; n < TASKS; n++) ids.push((await admin.submitTask({ body: { goal: `work ${n}`, subtasks } })).task_id);
  return ids;
};

const subtasksOf = async ({ admin }: System, ids: readonly string[]) =>
  (await Promise.all(ids.map((task_id) => admin.listSubtasks({ params: { task_id } })))).flatMap((page) => page.items);

const underWay = (system: System, ids: readonly string[]) =>
  until('at least 5 subtasks running and 50 unfinished', async () => {
    const subtasks = await subtasksOf(system, ids);
    const unfinished = subtasks.filter((it) => it.ended_at === null).length;
    if (unfinished < UNFINISHED) throw new Error(`too late: only ${unfinished} subtasks are unfinished`);
    return subtasks.filter((it) => it.status === 'running').length >= RUNNING;
  });

const allEvents = async ({ admin }: System, task_id: string): Promise<Event[]> =>
  (await admin.listEvents({ params: { task_id }, query: { limit: '1000' } })).items;

/** Every task ends completed, no subtask completes twice, event numbers have no gap, and each attempt has one end. */
const expectSound = async (system: System, ids: readonly string[]) => {
  await until(
    'every task to end',
    async () => {
      const tasks = await Promise.all(ids.map((task_id) => system.admin.getTask({ params: { task_id } }).catch(() => null)));
      return tasks.every((task) => task !== null && task.ended_at !== null);
    },
    120_000,
  );
  for (const task_id of ids) {
    const task = await system.admin.getTask({ params: { task_id } });
    const events = await allEvents(system, task_id);
    const completed = events.filter((event) => event.type === 'subtask.completed').map((event) => event.subtask_id);
    expect(task).toMatchObject({ status: 'completed', completed_count: MIDDLE + 2 });
    expect(events.map((event) => event.seq)).toEqual(events.map((_, at) => at + 1));
    expect(task.last_seq).toBe(events.length);
    expect(completed.length).toBe(MIDDLE + 2);
    expect(new Set(completed).size).toBe(MIDDLE + 2);
    expect(events.filter((event) => event.type === 'task.completed')).toHaveLength(1);
  }
};

const start = async () => {
  const system = await startSystem();
  await Promise.all(Array.from({ length: WORKERS }, () => system.addWorker()));
  const ids = await submitWork(system);
  await underWay(system, ids);
  return { system, ids };
};

describe('with many subtasks under way', () => {
  it('workers that are killed cost nothing but time', async () => {
    const { system, ids } = await start();

    await Promise.all([system.workers[0]?.kill('SIGKILL'), system.workers[1]?.kill('SIGKILL')]);

    await expectSound(system, ids);
  });

  it('a server that is killed goes on where it was', async () => {
    const { system, ids } = await start();

    await system.server().kill('SIGKILL');
    await system.restartServer();

    await expectSound(system, ids);
  });

  it('a Postgres that is killed is started again and has lost nothing', async () => {
    const { system, ids } = await start();
    const pid = await postmasterPid(system);

    process.kill(pid, 'SIGKILL');

    await expectSound(system, ids);
    expect(await postmasterPid(system)).not.toBe(pid);
  });

  it('a worker that is stopped past its lease and continued lands nothing', async () => {
    const { system, ids } = await start();

    const { zombie, subtask_id, attempt } = await stopHolder(system, ids);
    zombie.child.kill('SIGCONT');

    await expectSound(system, ids);
    const { attempt_list } = await system.admin.getSubtask({ params: { subtask_id } });
    const [succeeded, ...others] = attempt_list.filter((it) => it.status === 'succeeded');
    expect(attempt_list.find((it) => it.attempt === attempt)?.status).toBe('lost');
    expect(succeeded?.attempt).toBeGreaterThan(attempt);
    expect(others).toEqual([]);
  });
});

/** Stops one worker after the other, until one was stopped while it held something and has lost that. */
const stopHolder = async (system: System, ids: readonly string[]) => {
  const { items } = await system.admin.listWorkers({ query: { limit: '200' } });
  for (const [at, zombie] of system.workers.entries()) {
    const id = items.find((it) => it.name === `w${at}`)?.worker_id;
    zombie.child.kill('SIGSTOP');
    const held = (await subtasksOf(system, ids)).find((it) => it.status === 'running' && it.worker_id === id);
    const status = held === undefined ? null : await endOf(system, held);
    if (held !== undefined && status === 'lost') return { zombie, subtask_id: held.subtask_id, attempt: held.attempt };
    zombie.child.kill('SIGCONT');
  }
  throw new Error('no worker held anything when it was stopped');
};

/** How the attempt that runs now ends: one whose worker was stopped just after it had sent its result succeeds. */
const endOf = (system: System, { subtask_id, attempt }: { subtask_id: string; attempt: number }) =>
  until('the attempt to end', async () => {
    const { attempt_list } = await system.admin.getSubtask({ params: { subtask_id } });
    const it = attempt_list.find((one) => one.attempt === attempt);
    return it?.ended_at ? it.status : null;
  });

const postmasterPid = async ({ data }: System): Promise<number> => {
  const [pid] = (await readFile(join(data, 'postgres/data/postmaster.pid'), 'utf8')).split('\n');
  return Number(pid);
};
