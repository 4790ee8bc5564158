import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPool } from '../../functions/platform/pool.ts';
import { type Backend, backendForTest, type Reply } from '../support/backend.ts';
import { checkInvariants } from '../support/invariants.ts';
import { until } from '../support/processes.ts';
import { enrol } from '../support/worker.ts';

const KILLS = 60;
const WORKERS = 6;
const READERS = 8;
const SUBMITTERS = 2;
/** Shorter than the timeout of a silent connection: a closed connection is noticed at once. */
const LONGEST_MS = 8_000;

/** Loops that use the backend as clients do: they retry after a 503 and count the requests that succeeded. */
const startLoad = async (backend: Backend) => {
  const submitted: string[] = [];
  const steps: number[] = [];
  let refused = 0;
  let slowest = 0;
  const over = new AbortController();

  const asked = async <T>(ask: () => Promise<Reply<T>>): Promise<Reply<T>> => {
    for (;;) {
      const began = performance.now();
      const reply = await ask();
      slowest = Math.max(slowest, performance.now() - began);
      if (reply.status !== 503) return reply;
      refused++;
      await pause(5);
    }
  };
  const succeeded = async <T>(ask: () => Promise<Reply<T>>): Promise<T> => {
    const { status, body } = await asked(ask);
    if (status >= 300) throw new Error(`the backend returned ${status}: ${JSON.stringify(body)}`);
    return body;
  };
  const submit = async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const subtasks = [
      { key: 'a', goal: 'x' },
      { key: 'b', goal: 'x', dependencies: ['a'] },
    ];
    const { task_id } = await succeeded(() => backend.admin.submitTask({ headers, body: { goal: 'x', subtasks } }));
    submitted.push(task_id);
  };
  const read = async () => {
    await succeeded(() => backend.admin.listTasks({ query: { limit: 20 } }));
  };
  const work = (worker: Awaited<ReturnType<typeof enrol>>) => async () => {
    const id = randomUUID();
    const { claimed } = await succeeded(() => worker.claimReply(id, 4));
    for (const it of claimed) {
      if (!it.started) await succeeded(() => worker.start(it));
      await succeeded(() => worker.complete(it));
    }
  };
  const loop = async (step: () => Promise<void>) => {
    const at = steps.push(0) - 1;
    while (!over.signal.aborted) {
      await step();
      steps[at] = (steps[at] ?? 0) + 1;
      await pause(1);
    }
  };
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => enrol(backend)));
  const loops = Promise.all([
    ...workers.map((worker) => loop(work(worker))),
    ...Array.from({ length: READERS }, () => loop(read)),
    ...Array.from({ length: SUBMITTERS }, () => loop(submit)),
  ]);
  /** Waits until every loop has completed `count` more steps. */
  const progress = async (count: number) => {
    const before = [...steps];
    await Promise.race([loops, until(`${count} steps of each loop`, () => steps.every((it, at) => it - (before[at] ?? 0) >= count))]);
  };
  return {
    submitted,
    progress,
    outcome: () => ({ refused, slowest }),
    end: async () => {
      over.abort();
      await loops;
    },
  };
};

describe('closing all database connections sixty times under load', () => {
  it('causes only 503 responses: no statement hangs, no work is lost, and every loop continues', async () => {
    const backend = await backendForTest({ pool: 8 });
    const killer = openPool(backend.url);
    onTestFinished(() => killer.end());
    const load = await startLoad(backend);
    let killed = 0;

    for (let round = 0; round < KILLS; round++) {
      await load.progress(1);
      const ended = await killer`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
      killed += ended.length;
    }
    await load.progress(10);
    await load.end();

    const { refused, slowest } = load.outcome();
    console.info(`${killed} connections closed, ${refused} requests refused, the slowest took ${Math.round(slowest)} ms`);
    expect(killed).toBeGreaterThan(KILLS);
    expect(refused).toBeGreaterThan(0);
    expect(slowest).toBeLessThan(LONGEST_MS);
    const worker = await enrol(backend);
    await until('all to be completed', async () => {
      for (const it of await worker.claim(50)) await worker.complete(it);
      return (await killer`select from tasks where status in ('pending', 'running')`).length === 0;
    });
    const [counts] = await killer`
      select count(*) as completed, (select count(*) from attempts where status <> 'succeeded') as other_attempts
      from tasks where status = 'completed' and task_id = any (${load.submitted}::uuid[])`;
    expect(counts).toEqual({ completed: load.submitted.length, other_attempts: 0 });
    expect(await checkInvariants(killer)).toEqual([]);
  }, 120_000);
});
