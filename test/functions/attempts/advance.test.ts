import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ChangedTask, Changes } from '../../../functions/domain/ports/hints.ts';
import type { Pool } from '../../../functions/domain/ports/pool.ts';
import { createAdvance, type WorkerStep } from '../../../functions/domain/attempts/advance.ts';
import { type Claim, completeAndClaim, type NextClaim } from '../../../functions/domain/attempts/attempts.sql.ts';
import { completion } from '../../../functions/domain/attempts/attempts.ts';
import { openPool } from '../../../functions/platform/pool.ts';
import type { Claimed } from '../../../schema/attempt.ts';
import { type Backend, backendForTest } from '../../support/backend.ts';
import { checkInvariants } from '../../support/invariants.ts';
import { untilBlocked } from '../../support/locks.ts';
import { beforeStatements } from '../../support/statements.ts';
import { enrol, type TestWorker } from '../../support/worker.ts';

const MOST_BYTES = 5_500_000;

type Wish = { done?: readonly Claimed[]; claim?: Partial<NextClaim>; request?: string };
const stepsOf = async ({ ctx }: Backend) => {
  const [{ organization_id }] = await ctx.sql<[{ organization_id: string }]>`
    select organization_id from organizations order by created_at limit 1`;
  return ({ worker_id }: Pick<TestWorker, 'worker_id'>, { done = [], claim, request = randomUUID() }: Wish): WorkerStep => ({
    ctx: { ...ctx, sql: ctx.sql.of(request) },
    worker: { organization_id, worker_id },
    completions: done.map((it) => completion(it.subtask_id, { lease_token: it.lease_token, attempt: it.attempt, result: it.key })),
    claim: claim === undefined ? null : { claim_request_id: randomUUID(), limit: 1, start: true, window: null, ...claim },
  });
};

const inOneStatement = async (backend: Backend, steps: readonly WorkerStep[]) => {
  const { answer } = await completeAndClaim(backend.ctx.sql, steps, 60_000);
  const claimed = (answer.claims ?? []).map((it) => (it as Claim | null)?.claimed ?? []);
  return { results: answer.results, claimed };
};

const plain = (backend: Backend, keys: readonly string[], more: object = {}) =>
  backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: keys.map((key) => ({ key, goal: key, ...more })) } });

const requestsOf = async (backend: Backend, taskId: string, type: string) => {
  const { items } = await backend.admin.ok.listEvents({ params: { task_id: taskId } });
  return items.filter((event) => event.type === type).map((event) => event.request_id);
};

describe('claims in one statement', () => {
  it.each([false, true])(
    'of workers that may take different subtasks never get the same one (proposed by Redis: %s)',
    async (isProposed) => {
      const backend = await backendForTest();
      const step = await stepsOf(backend);
      const workers = [
        await enrol(backend),
        await enrol(backend, { tools: ['scripted', 'echo'] }),
        await enrol(backend, { labels: { a: 'b' } }),
      ];
      await plain(backend, ['first', 'second']);
      const ready = await backend.ctx.sql<{ subtask_id: string }[]>`select subtask_id from queue_entries`;
      const window = isProposed ? ready.map((it) => it.subtask_id) : null;

      const { claimed } = await inOneStatement(
        backend,
        workers.map((worker) => step(worker, { claim: { window } })),
      );

      expect(
        claimed
          .flat()
          .map(({ key }) => key)
          .toSorted(),
      ).toEqual(['first', 'second']);
      expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
    },
  );

  it('take only those proposals of Redis that their worker may take', async () => {
    const backend = await backendForTest();
    const step = await stepsOf(backend);
    const other = backend.as((await backend.newKey()).key);
    const { owner_id } = await other.ok.submitTask({ body: { goal: 'of another owner' } });
    await plain(backend, ['labelled'], { labels: { gpu: 'yes' } });
    const ready = await backend.ctx.sql<{ subtask_id: string }[]>`select subtask_id from queue_entries`;
    const window = ready.map((it) => it.subtask_id);
    const [own] = await backend.ctx.sql<[{ owner_id: string }]>`select owner_id from tasks where owner_id <> ${owner_id}`;
    const worker = await enrol(backend, { owner_ids: [own.owner_id] });

    const { claimed } = await inOneStatement(backend, [step(worker, { claim: { limit: 2, window } })]);

    expect(window).toHaveLength(2);
    expect(claimed).toEqual([[]]);
  });

  it('are each started as their own request asks, and the events record its id', async () => {
    const backend = await backendForTest();
    const step = await stepsOf(backend);
    const workers = [await enrol(backend), await enrol(backend)] as const;
    const tasks = [await plain(backend, ['a']), await plain(backend, ['b'])] as const;

    const { claimed } = await inOneStatement(backend, [
      step(workers[0], { claim: { start: false }, request: 'one' }),
      step(workers[1], { claim: { start: true }, request: 'two' }),
    ]);

    expect(claimed).toMatchObject([[{ key: 'a', started: false }], [{ key: 'b', started: true }]]);
    expect(await requestsOf(backend, tasks[0].task_id, 'subtask.started')).toEqual([]);
    for (const type of ['task.started', 'subtask.started']) expect(await requestsOf(backend, tasks[1].task_id, type)).toEqual(['two']);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('each have the full size of an answer for long goals', async () => {
    const backend = await backendForTest();
    const step = await stepsOf(backend);
    const workers = [await enrol(backend), await enrol(backend)] as const;
    const subtasks = Array.from({ length: 25 }, (_, n) => ({
      key: `s${n}`,
      goal: '€'.repeat(32_000),
      input: { text: 'y'.repeat(65_000) },
    }));
    await backend.admin.ok.submitTask({ body: { goal: '€'.repeat(32_000), subtasks } });

    const { claimed } = await inOneStatement(
      backend,
      workers.map((worker) => step(worker, { claim: { limit: 12 } })),
    );

    for (const those of claimed) {
      expect(those.length).toBeGreaterThan(5);
      expect(Buffer.byteLength(JSON.stringify(those))).toBeLessThan(MOST_BYTES);
    }
  });

  it('do not start subtasks of a task that another transaction has locked, and do not wait for it', async () => {
    const backend = await backendForTest();
    const step = await stepsOf(backend);
    const worker = await enrol(backend);
    const { task_id } = await plain(backend, ['held']);
    await plain(backend, ['free']);

    const { claimed } = await backend.ctx.sql.begin(async (sql) => {
      await sql`select from tasks where task_id = ${task_id} for no key update`;
      return inOneStatement(backend, [step(worker, { claim: { limit: 2 } })]);
    });

    expect(claimed).toMatchObject([[{ started: expect.any(Boolean) }, { started: expect.any(Boolean) }]]);
    expect(Object.fromEntries(claimed.flat().map(({ key, started }) => [key, started]))).toEqual({ held: false, free: true });
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });
});

describe('completions in one statement', () => {
  it('unblock a child of all of them once, with the request id of one of its parents', async () => {
    const backend = await backendForTest();
    const step = await stepsOf(backend);
    const workers = [await enrol(backend), await enrol(backend), await enrol(backend)] as const;
    const stranger = await plain(backend, ['alone']);
    const { task_id } = await backend.admin.ok.submitTask({
      body: {
        goal: 'x',
        subtasks: [
          { key: 'a', goal: 'a' },
          { key: 'b', goal: 'b' },
          { key: 'child', goal: 'c', dependencies: ['a', 'b'] },
        ],
      },
    });
    const [alone, a, b] = [await workers[0].claim(), await workers[1].claim(), await workers[2].claim()];

    const { results, claimed } = await inOneStatement(backend, [
      step(workers[0], { done: alone, request: 'of another task' }),
      step(workers[1], { done: a, request: 'a' }),
      step(workers[2], { done: b, claim: { limit: 2 }, request: 'b' }),
    ]);

    expect(results.map((it) => ('status' in it ? it.task_status : it.error))).toEqual(['completed', 'running', 'running']);
    expect(claimed).toMatchObject([[], [], [{ key: 'child', started: true }]]);
    expect(await requestsOf(backend, task_id, 'subtask.ready')).toEqual([expect.stringMatching(/^[ab]$/)]);
    expect(await requestsOf(backend, stranger.task_id, 'task.completed')).toEqual(['of another task']);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('start subtasks that were only claimed, each under its own lease and with the id of its own request', async () => {
    const backend = await backendForTest();
    const step = await stepsOf(backend);
    const workers = [await enrol(backend), await enrol(backend)] as const;
    const tasks = [await plain(backend, ['a']), await plain(backend, ['b'])] as const;
    const [a, b] = [await workers[0].claim(1, false), await workers[1].claim(1, false)];

    const { results } = await inOneStatement(backend, [
      step(workers[0], { done: b, request: 'of another worker' }),
      step(workers[1], { done: b, request: 'b' }),
    ]);

    expect(results).toMatchObject([{ error: 'lease_lost' }, { status: 'completed', task_status: 'completed' }]);
    for (const type of ['task.started', 'subtask.started', 'subtask.completed', 'task.completed'])
      expect(await requestsOf(backend, tasks[1].task_id, type)).toEqual(['b']);
    await inOneStatement(backend, [step(workers[1], { done: a })]);
    expect(await requestsOf(backend, tasks[0].task_id, 'subtask.started')).toEqual([]);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('are refused with another attempt number, even when the lease token is right', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await plain(backend, ['a']);
    const [it] = await worker.claim();
    if (it === undefined) throw new Error('nothing was claimed');

    const refused = await worker.complete({ ...it, attempt: it.attempt + 1 });

    expect(refused).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
    expect((await worker.complete(it)).status).toBe(200);
  });

  it('lock their tasks in the order of their ids: one that waits for the first holds none of the others', async () => {
    const backend = await backendForTest({ pool: 4 });
    const worker = await enrol(backend);
    const step = await stepsOf(backend);
    for (let n = 0; n < 12; n++) await plain(backend, [`t${n}`]);
    const held = await worker.claim(12);
    const tasks = held.map((it) => it.task_id).toSorted();
    const other = openPool(backend.url);
    onTestFinished(() => other.end());

    const completed = await other.begin(async (sql) => {
      await sql`select from tasks where task_id = ${tasks[0]} for no key update`;
      const waits = inOneStatement(backend, [step(worker, { done: held })]);
      await untilBlocked(backend.ctx.sql, 1);
      const free = await sql`select from tasks where task_id = any (${tasks}::uuid[]) for no key update skip locked`;
      expect(free.count).toBe(12);
      return { waits };
    });

    expect((await completed.waits).results).toHaveLength(12);
  });

  it('of several workers fail soon when the task of one of them is locked; those of one worker wait', async () => {
    const backend = await backendForTest({ pool: 4 });
    const step = await stepsOf(backend);
    const workers = [await enrol(backend), await enrol(backend)] as const;
    for (const key of ['a', 'b']) await plain(backend, [key]);
    const [a, b] = [await workers[0].claim(), await workers[1].claim()];
    const patient = openPool(backend.url); // its sessions wait for locks without a limit
    onTestFinished(() => patient.end());

    const alone = await backend.ctx.sql.begin(async (sql) => {
      await sql`select from tasks where task_id = ${a[0]?.task_id} for no key update`;
      const shared = completeAndClaim(patient, [step(workers[0], { done: a }), step(workers[1], { done: b })], 60_000);
      await expect(shared).rejects.toMatchObject({ code: '55P03' });
      const waits = completeAndClaim(patient, [step(workers[0], { done: a })], 60_000).then(({ answer }) => answer.results);
      await untilBlocked(backend.ctx.sql, 1);
      return { waits };
    });

    expect(await alone.waits).toMatchObject([{ status: 'completed' }]);
    expect((await workers[1].complete(b[0] as Claimed, 'b')).status).toBe(200);
  });
});

describe('steps of workers', () => {
  /** Three steps: the second and the third arrive while the first is running, so that they share a statement. */
  const crew = async ({ sqlOf = (sql) => sql, isMixed = false }: { sqlOf?: (sql: Pool) => Pool; isMixed?: boolean } = {}) => {
    const backend = await backendForTest({ pool: 4 });
    const changes: ChangedTask[] = [];
    const step = await stepsOf(backend);
    const workers = await Promise.all([1, 2, 3].map(() => enrol(backend)));
    const { task_id } = await plain(backend, ['a', 'b', 'c', 'd']);
    const [held] = await Promise.all(workers.map((worker) => worker.claim()));
    const sql = sqlOf(backend.ctx.sql);
    const recordChanges = async ({ tasks }: Changes) => changes.push(...tasks) > 0;
    const advance = createAdvance();
    const send = (worker: TestWorker, wish: Wish) =>
      advance({ ...step(worker, wish), ctx: { ...backend.ctx, sql, hints: { ...backend.ctx.hints, recordChanges } } });
    const [first, second, third] = workers as [TestWorker, TestWorker, TestWorker];
    const sendAll = async () => {
      const opening = send(second, { claim: {} });
      await Promise.resolve();
      return Promise.allSettled([opening, send(first, isMixed ? { done: held ?? [] } : { claim: {} }), send(third, { claim: {} })]);
    };
    return { backend, changes, task_id, sendAll, sendOne: () => send(first, { claim: {} }) };
  };

  /** Replaces the statements with these numbers, counted from 1, by one that fails with an SQLSTATE. */
  const failing = (codes: Record<number, string>) => {
    let sent = 0;
    const sqlOf = (sql: Pool) =>
      beforeStatements(sql, async () => {
        const code = codes[++sent];
        if (code !== undefined) await sql.unsafe(`do $$ begin raise exception 'as asked' using errcode = '${code}'; end $$`);
      });
    return { sqlOf, count: () => sent };
  };

  it('that complete something make the cached task outdated, also when they come with a claim', async () => {
    const { changes, task_id, sendAll } = await crew({ isMixed: true });

    const outcomes = await sendAll();

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(changes.map((it) => it.task_id)).toContain(task_id);
  });

  it.each(['55P03', '40P01', '40001', '22P02'])('are each tried alone when their statement fails with %s', async (code) => {
    const { sqlOf, count } = failing({ 2: code });
    const { sendAll, backend } = await crew({ sqlOf });

    const outcomes = await sendAll();

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(count()).toBe(4);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });

  it('are not tried again when the database is unavailable', async () => {
    const { sqlOf, count } = failing({ 2: '57P01' });
    const { sendAll } = await crew({ sqlOf });

    const outcomes = await sendAll();

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(count()).toBe(2);
  });

  it('that arrive alone are repeated after a deadlock', async () => {
    const { sqlOf, count } = failing({ 1: '40P01' });
    const { sendOne } = await crew({ sqlOf });

    expect((await sendOne()).claim).toMatchObject({ claimed: [{ started: true }] });
    expect(count()).toBe(2);
  });

  it('of two organizations never share a statement', async () => {
    const backend = await backendForTest({ pool: 4 });
    const { key } = await backend.newKey({ organization: 'abroad' });
    const abroad = { ...backend, admin: backend.as(key) };
    const workers = [await enrol(backend), await enrol(backend), await enrol(abroad)] as const;
    for (const of of [backend, abroad]) await plain(of, ['a', 'b']);

    const claimed = await Promise.all(workers.map((worker) => worker.claim()));

    expect(claimed.map((it) => it.length)).toEqual([1, 1, 1]);
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
  });
});
