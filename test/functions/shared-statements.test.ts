import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import { openPool } from '../../functions/platform/pool.ts';
import type { Claimed } from '../../schema/attempt.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { checkInvariants } from '../support/invariants.ts';
import { until } from '../support/processes.ts';
import { enrol, type TestWorker } from '../support/worker.ts';

const WORKERS = 8;

/** Holds the locks that `lock` takes, in another transaction, until they are released. */
const hold = async (backend: Backend, lock: (sql: Sql) => Promise<unknown>) => {
  const other = openPool(backend.url);
  onTestFinished(() => other.end());
  const released = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const ended = other.begin(async (sql) => {
    await lock(sql);
    held.resolve();
    await released.promise;
  });
  await held.promise;
  return async () => {
    released.resolve();
    await ended;
  };
};

const isWaiting = (backend: Backend) =>
  backend.ctx.sql<[{ waits: boolean }]>`
    select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()) as waits`.then(
    ([{ waits }]) => waits,
  );

/** Workers that each hold the subtask of one task, and another worker whose row is locked, so that its claim waits. */
const crew = async () => {
  const backend = await backendForTest({ pool: 6 });
  const gate = await enrol(backend, { name: 'gate' });
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => enrol(backend)));
  for (let n = 0; n < 2 * WORKERS; n++) await backend.admin.ok.submitTask({ body: { goal: `task ${n}` } });
  const held = await Promise.all(workers.map(async (worker) => (await worker.claim())[0] as Claimed));
  return { backend, gate, workers, held };
};

const step = (worker: TestWorker, it: Claimed, result: number) =>
  worker.as.completeSubtasks({
    params: { worker_id: worker.worker_id },
    body: {
      completions: [{ subtask_id: it.subtask_id, ...worker.fence(it), result }],
      claim: { claim_request_id: randomUUID(), limit: 1, start: true },
    },
  });

/** Sends requests while another one of the organization is in progress, so that they share a statement when it ends. Also returns the statements. */
const together = async <T>(backend: Backend, gate: TestWorker, requests: (() => Promise<T>)[]) => {
  const release = await hold(backend, (sql) => sql`select from workers where worker_id = ${gate.worker_id} for update`);
  const first = gate.claim();
  await until('the first claim to wait', () => isWaiting(backend), 15_000);
  const before = backend.ctx.sql.counted();
  const answers = requests.map((send) => send());
  await new Promise((resolve) => setImmediate(resolve));
  await release();
  await first;
  return { answers: await Promise.all(answers), statements: backend.ctx.sql.counted() - before };
};

describe('steps of several workers that arrive at the same time', () => {
  it('share one statement and each get their own reply', async () => {
    const { backend, gate, workers, held } = await crew();

    const { answers, statements } = await together(
      backend,
      gate,
      workers.map((worker, n) => () => step(worker, held[n] as Claimed, n)),
    );

    expect(statements).toBeLessThanOrEqual(2);
    answers.forEach(({ status, body }, n) => {
      expect(status).toBe(200);
      expect(body.results).toEqual([expect.objectContaining({ ok: true, subtask_id: held[n]?.subtask_id, task_status: 'completed' })]);
      expect(body.claim?.claimed).toHaveLength(n < WORKERS - 1 ? 1 : (body.claim?.claimed.length ?? 0));
    });
    const given = answers.flatMap(({ body }) => body.claim?.claimed.map((it) => it.subtask_id) ?? []);
    expect(new Set(given).size).toBe(given.length);
    for (const [n, it] of held.entries())
      expect(await backend.admin.ok.getSubtask({ params: { subtask_id: it.subtask_id } })).toMatchObject({
        status: 'completed',
        result: n,
      });
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('each name their own request in the events that they cause', async () => {
    const { backend, gate, workers, held } = await crew();

    const { answers } = await together(
      backend,
      gate,
      workers.map((worker, n) => () => step(worker, held[n] as Claimed, n)),
    );

    for (const [n, it] of held.entries()) {
      const { items } = await backend.admin.ok.listEvents({ params: { task_id: it.task_id } });
      expect(items.filter(({ type }) => /completed/.test(type)).map(({ request_id }) => request_id)).toEqual([
        answers[n]?.headers['x-request-id'],
        answers[n]?.headers['x-request-id'],
      ]);
    }
  });

  it('are refused or accepted each by its own fence', async () => {
    const { backend, gate, workers, held } = await crew();
    const [stale, unknown, repeated, foreign, ...good] = workers as [TestWorker, TestWorker, TestWorker, TestWorker, ...TestWorker[]];
    await repeated.complete(held[2] as Claimed, 2);

    const { answers } = await together(backend, gate, [
      () => step(stale, { ...(held[0] as Claimed), lease_token: randomUUID() }, 0),
      () => step(unknown, { ...(held[1] as Claimed), subtask_id: randomUUID() }, 1),
      () => step(repeated, held[2] as Claimed, 2),
      () => step(foreign, held[0] as Claimed, 3),
      ...good.map((worker, n) => () => step(worker, held[n + 4] as Claimed, n + 4)),
    ]);

    expect(answers.map(({ body }) => body.results[0]).map((it) => (it?.ok ? it.status : it?.code))).toEqual([
      'lease_lost',
      'subtask_not_found',
      'completed',
      'lease_lost',
      ...good.map(() => 'completed'),
    ]);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('are not affected by a worker that is removed at the same time', async () => {
    const { backend, gate, workers, held } = await crew();
    const [removed, ...others] = workers as [TestWorker, ...TestWorker[]];

    const { answers } = await together(backend, gate, [
      async () => {
        await backend.admin.ok.deleteWorker({ params: { worker_id: removed.worker_id } });
        return step(removed, held[0] as Claimed, 0);
      },
      ...others.map((worker, n) => () => step(worker, held[n + 1] as Claimed, n + 1)),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([401, ...others.map(() => 200)]);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('are answered while the task of one of them is locked for long; that one waits alone', async () => {
    const { backend, gate, workers, held } = await crew();
    const release = await hold(backend, (sql) => sql`select from tasks where task_id = ${held[0]?.task_id} for update`);
    const slow = Promise.withResolvers<Awaited<ReturnType<typeof step>>>();

    const { answers } = await together(backend, gate, [
      async () => {
        void step(workers[0] as TestWorker, held[0] as Claimed, 0).then(slow.resolve, slow.reject);
        return null;
      },
      ...workers.slice(1).map((worker, n) => () => step(worker, held[n + 1] as Claimed, n + 1)),
    ]);

    expect(answers.slice(1).map((it) => it?.status)).toEqual(workers.slice(1).map(() => 200));
    await release();
    expect((await slow.promise).body.results).toEqual([expect.objectContaining({ ok: true })]);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('are answered while one that came before them, alone, waits for a locked task', async () => {
    const { backend, workers, held } = await crew();
    const release = await hold(backend, (sql) => sql`select from tasks where task_id = ${held[0]?.task_id} for update`);
    let isAnswered = false;
    const slow = step(workers[0] as TestWorker, held[0] as Claimed, 0).finally(() => (isAnswered = true));
    await until('the first step to wait', () => isWaiting(backend), 15_000);

    const others = await Promise.all(workers.slice(1).map((worker, n) => step(worker, held[n + 1] as Claimed, n + 1)));

    expect(others.map(({ status }) => status)).toEqual(workers.slice(1).map(() => 200));
    expect(isAnswered).toBe(false);
    await release();
    expect((await slow).body.results).toEqual([expect.objectContaining({ ok: true })]);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('of one worker run one after the other, and never exceed its slots', async () => {
    const backend = await backendForTest({ pool: 6 });
    const gate = await enrol(backend, { name: 'gate' });
    const worker = await enrol(backend, { slots: 3 });
    for (let n = 0; n < 8; n++) await backend.admin.ok.submitTask({ body: { goal: `task ${n}` } });

    const { answers } = await together(
      backend,
      gate,
      Array.from({ length: 5 }, () => () => worker.claim(2)),
    );

    expect(answers.flat()).toHaveLength(3);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });
});
