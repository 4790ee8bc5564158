import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../functions/domain/maintenance/maintenance.ts';
import { relay } from '../../functions/domain/outbox/relay.ts';
import type { Claimed } from '../../schema/attempt.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { drain, enrol } from '../support/worker.ts';

const eventTypes = async (backend: Backend, task_id: string) =>
  (await backend.admin.ok.listEvents({ params: { task_id }, query: { limit: 1000 } })).items.map((event) => event.type);

const statuses = async (backend: Backend, task_id: string) => {
  const { items } = await backend.admin.ok.listSubtasks({ params: { task_id } });
  return Object.fromEntries(items.map((subtask) => [subtask.key, subtask.status]));
};

const diamond = {
  goal: 'a diamond',
  subtasks: [
    { key: 'top', goal: 'first' },
    { key: 'left', goal: 'second', dependencies: ['top'] },
    { key: 'right', goal: 'third', dependencies: ['top'] },
    { key: 'bottom', goal: 'last', dependencies: ['left', 'right'] },
  ],
};

const first = <T>(items: readonly T[]): T => {
  const [item] = items;
  if (item === undefined) throw new Error('nothing was claimed');
  return item;
};

const expireLease = (backend: Backend, it: Claimed) => backend.ctx.sql`
  update attempts set lease_expires_at = clock_timestamp() - interval '1 second'
  where subtask_id = ${it.subtask_id} and attempt = ${it.attempt}`;

describe('a plain goal', () => {
  it('becomes a task with one subtask for the default tool', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);

    const task = await backend.admin.ok.submitTask({ body: { goal: 'say hello' } });
    const [done] = await drain(worker, () => 'hello');

    expect(task).toMatchObject({ status: 'pending', subtask_count: 1, progress: 0 });
    expect(done).toMatchObject({ goal: 'say hello', tool: 'scripted', key: 'main' });
    expect(await backend.admin.ok.getTask({ params: { task_id: task.task_id } })).toMatchObject({ status: 'completed', progress: 100 });
  });
});

describe('a DAG', () => {
  it('runs parents first and passes their outputs to the children', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: diamond });

    const done = await drain(worker, (it) => ({ from: it.key }));

    expect(done.map((it) => it.key)).toEqual(['top', 'left', 'right', 'bottom']);
    expect(done[3]?.inputs).toMatchObject({ left: { result: { from: 'left' }, included: true }, right: { result: { from: 'right' } } });
    expect(await eventTypes(backend, task_id)).toEqual([
      'task.submitted',
      'task.started',
      'subtask.started',
      'subtask.completed',
      'subtask.ready',
      'subtask.ready',
      'subtask.started',
      'subtask.started',
      'subtask.completed',
      'subtask.completed',
      'subtask.ready',
      'subtask.started',
      'subtask.completed',
      'task.completed',
    ]);
  });

  it('accepts further subtasks while it runs, which wait for the parents that have not completed', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: diamond });
    const top = first(await worker.claim());
    await worker.complete(top);

    const extended = await backend.admin.ok.addSubtasks({
      params: { task_id },
      body: {
        subtasks: [
          { key: 'free', goal: 'x', dependencies: ['top'] },
          { key: 'end', goal: 'y', dependencies: ['bottom', 'free'] },
        ],
      },
    });

    expect(extended.subtask_count).toBe(6);
    expect(await statuses(backend, task_id)).toMatchObject({ free: 'ready', end: 'blocked' });
    expect((await drain(worker)).map((it) => it.key).at(-1)).toBe('end');
  });

  it('refuses a subtask that depends on one that failed, or on one that was skipped because of it', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { ...diamond, on_failure: 'continue' } });
    await backend.admin.ok.addSubtasks({ params: { task_id }, body: { subtasks: [{ key: 'other', goal: 'x' }] } });
    await worker.fail(first(await worker.claim()));

    for (const parent of ['top', 'bottom']) {
      const reply = await backend.admin.addSubtasks({
        params: { task_id },
        body: { subtasks: [{ key: 'z', goal: 'z', dependencies: [parent] }] },
      });

      expect(reply).toMatchObject({ status: 422, body: { code: 'invalid_dag' } });
      expect(JSON.stringify(reply.body)).toContain(`z depends on ${parent}, which ended without completing`);
    }
  });
});

describe('a failed attempt', () => {
  const flaky = {
    goal: 'x',
    subtasks: [
      { key: 'a', goal: 'x', retry: { max_attempts: 2, on: ['rate_limited' as const], base_ms: 60_000 } },
      { key: 'b', goal: 'y', dependencies: ['a'] },
    ],
  };

  it('is retried after a wait when its class is retryable, and fails permanently at the limit', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: flaky });
    const one = first(await worker.claim());

    await worker.fail(one, 'rate_limited', 'too fast');

    const waiting = await backend.admin.ok.getSubtask({ params: { subtask_id: one.subtask_id } });
    expect(waiting).toMatchObject({ status: 'ready', attempts: 1, error: { failure_class: 'rate_limited', message: 'too fast' } });
    expect(Date.parse(waiting.run_after ?? '') - Date.now()).toBeGreaterThan(20_000);
    expect(await worker.claim()).toEqual([]);

    await backend.ctx.sql`update queue_entries set run_after = clock_timestamp()`;
    const two = first(await worker.claim());
    await worker.fail(two, 'rate_limited', 'again');

    expect(two.attempt).toBe(2);
    expect(await statuses(backend, task_id)).toEqual({ a: 'failed', b: 'cancelled' });
    expect(await backend.admin.ok.getTask({ params: { task_id } })).toMatchObject({
      status: 'failed',
      error: { code: 'subtask_failed', subtask_id: one.subtask_id, message: 'subtask a failed: again' },
    });
  });

  it('fails at once when its class is not retryable', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: flaky });

    const reply = await worker.fail(first(await worker.claim()), 'tool_error');

    expect(reply.body).toMatchObject({ status: 'failed', task_status: 'failed' });
    expect(await eventTypes(backend, task_id)).toEqual([
      'task.submitted',
      'task.started',
      'subtask.started',
      'subtask.failed',
      'subtask.cancelled',
      'task.failed',
    ]);
  });

  it('does not affect other branches when the task continues', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({
      body: {
        goal: 'x',
        on_failure: 'continue',
        subtasks: [...flaky.subtasks, { key: 'c', goal: 'z', dependencies: ['b'] }, { key: 'd', goal: 'w' }],
      },
    });
    const claimed = await worker.claim(2);

    for (const it of claimed) await (it.key === 'a' ? worker.fail(it) : worker.complete(it));

    expect(await statuses(backend, task_id)).toEqual({ a: 'failed', b: 'skipped', c: 'skipped', d: 'completed' });
    expect(await backend.admin.ok.getTask({ params: { task_id } })).toMatchObject({
      status: 'failed',
      completed_count: 1,
      ended_count: 4,
      error: { code: 'subtasks_failed' },
    });
  });

  it('gets the same response when it is sent again', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: flaky });
    const it = first(await worker.claim());

    const replies = [await worker.fail(it, 'rate_limited'), await worker.fail(it, 'rate_limited')];

    expect(replies.map((reply) => reply.status)).toEqual([200, 200]);
    expect(replies[1]?.body).toEqual(replies[0]?.body);
    expect((await eventTypes(backend, task_id)).filter((type) => type === 'subtask.retried')).toHaveLength(1);
  });
});

describe('a lease', () => {
  it('that expired is revoked, and writes of its holder are refused afterwards', async () => {
    const backend = await backendForTest();
    const [dead, alive] = [await enrol(backend), await enrol(backend)];
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const lost = first(await dead.claim());

    await expireLease(backend, lost);
    expect(await endOverdue(backend.ctx)).toMatchObject({ reaped: 1 });
    const again = first(await alive.claim());

    expect(again).toMatchObject({ subtask_id: lost.subtask_id, attempt: 2 });
    for (const late of [await dead.start(lost), await dead.complete(lost), await dead.fail(lost), await dead.release(lost)])
      expect(late).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
    expect((await dead.heartbeat([lost])).body).toMatchObject({ leases: [{ state: 'lost' }] });
    const logs = await dead.as.appendLogs({
      params: { subtask_id: lost.subtask_id },
      body: { ...dead.fence(lost), chunks: [{ chunk: 0, stream: 'stdout', content: 'late' }] },
    });
    expect(logs).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
    expect((await alive.complete(again)).status).toBe(200);
    const subtask = await backend.admin.ok.getSubtask({ params: { subtask_id: lost.subtask_id } });
    expect(subtask).toMatchObject({ attempts: 0, infra_attempts: 1, attempt_list: [{ status: 'succeeded' }, { status: 'lost' }] });
    expect(await eventTypes(backend, task_id)).toContain('subtask.lease_lost');
  });

  it('that expired but was not yet revoked is still valid', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim());

    await expireLease(backend, it);

    expect((await worker.heartbeat([it])).body).toMatchObject({ leases: [{ state: 'renewed' }] });
    expect(await endOverdue(backend.ctx)).toMatchObject({ reaped: 0 });
    expect((await worker.complete(it)).status).toBe(200);
  });

  it('of a subtask that is not started within five minutes is revoked, although its worker is online', async () => {
    const backend = await backendForTest();
    const [hanging, alive] = [await enrol(backend), await enrol(backend)];
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const claimed = first(await hanging.claim(1, false));
    const [{ seconds }] = await backend.ctx.sql<[{ seconds: number }]>`
      select extract(epoch from deadline_at - clock_timestamp())::int as seconds from attempts`;
    expect(seconds).toBeGreaterThan(290);
    expect(seconds).toBeLessThan(320);

    await backend.ctx.sql`update attempts set deadline_at = clock_timestamp() - interval '1 second'`;
    await hanging.heartbeat([claimed]);
    expect(await endOverdue(backend.ctx)).toMatchObject({ reaped: 1 });

    expect(first(await alive.claim())).toMatchObject({ subtask_id: claimed.subtask_id, attempt: 2 });
    const subtask = await backend.admin.ok.getSubtask({ params: { subtask_id: claimed.subtask_id } });
    expect(subtask).toMatchObject({ attempts: 0, infra_attempts: 1, attempt_list: [{ status: 'running' }, { status: 'lost' }] });
  });

  it('can be lost with its worker a limited number of times: then the subtask fails, so that it cannot keep crashing workers', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({
      body: { goal: 'x', subtasks: [{ key: 'a', goal: 'x', retry: { max_infra_attempts: 2 } }] },
    });

    for (let round = 0; round < 2; round++) {
      await expireLease(backend, first(await worker.claim()));
      await endOverdue(backend.ctx);
    }

    expect(await statuses(backend, task_id)).toEqual({ a: 'failed' });
  });

  it('ends as timed out when the attempt exceeds the timeout of the subtask', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({
      body: { goal: 'x', subtasks: [{ key: 'a', goal: 'x', timeout_seconds: 1, retry: { on: ['timed_out'] } }] },
    });
    const it = first(await worker.claim());

    await backend.ctx.sql`update attempts set deadline_at = clock_timestamp() - interval '1 second'`;
    await endOverdue(backend.ctx);

    expect(await backend.admin.ok.getSubtask({ params: { subtask_id: it.subtask_id } })).toMatchObject({
      status: 'ready',
      attempts: 1,
      infra_attempts: 0,
      attempt_list: [{ status: 'timed_out' }],
    });
  });

  it('ends at once when its worker releases it or is removed', async () => {
    const backend = await backendForTest();
    const [one, two] = [await enrol(backend), await enrol(backend)];
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });

    await one.release(first(await one.claim()));
    const held = first(await one.claim());
    await backend.admin.ok.deleteWorker({ params: { worker_id: one.worker_id } });
    const taken = first(await two.claim());

    expect([held.attempt, taken.attempt]).toEqual([2, 3]);
    expect(await one.complete(held)).toMatchObject({ status: 401, body: { code: 'worker_revoked' } });
  });
});

describe('a claim', () => {
  it('that is repeated with the same id after its response was lost returns the same leases', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: ['a', 'b', 'c'].map((key) => ({ key, goal: key })) } });
    const id = crypto.randomUUID();

    const [one, two] = [await worker.claimReply(id, 2), await worker.claimReply(id, 2)];

    expect(one.body.claimed).toHaveLength(2);
    const byKey = (claimed: Claimed[]) => claimed.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expect(byKey(two.body.claimed)).toEqual(byKey(one.body.claimed));
  });

  it('never gives a worker more than its slots', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { slots: 2 });
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: ['a', 'b', 'c'].map((key) => ({ key, goal: key })) } });

    expect(await worker.claim(10)).toHaveLength(2);
    expect((await worker.claimReply(crypto.randomUUID())).body).toMatchObject({ claimed: [], empty_reason: 'no_free_slot' });
  });

  it('without start leaves the subtask to be started, once', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim(1, false));

    expect(it.started).toBe(false);
    expect([(await worker.start(it)).status, (await worker.start(it)).status]).toEqual([200, 200]);
    expect((await worker.complete(it)).status).toBe(200);
  });

  it('that was not started is started by its completion', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });

    const reply = await worker.complete(first(await worker.claim(1, false)));

    expect(reply).toMatchObject({ status: 200, body: { status: 'completed', task_status: 'completed' } });
    const { items } = await backend.admin.ok.listEvents({ params: { task_id } });
    expect(items.map(({ type }) => type)).toEqual([
      'task.submitted',
      'task.started',
      'subtask.started',
      'subtask.completed',
      'task.completed',
    ]);
  });

  it('of a paused or draining worker is empty and returns the reason', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });

    for (const mode of ['paused', 'draining'] as const) {
      const { version } = await backend.admin.ok.getWorker({ params: { worker_id: worker.worker_id } });
      await backend.admin.ok.updateWorker({ params: { worker_id: worker.worker_id }, body: { version, mode } });
      expect((await worker.claimReply(crypto.randomUUID())).body).toMatchObject({ claimed: [], empty_reason: `worker_${mode}` });
    }
  });
});

describe('a completion', () => {
  it('sent again with the same result gets the same response; with another result it is refused', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim());

    const replies = [
      await worker.complete(it, { b: 1, a: 2 }),
      await worker.complete(it, { a: 2, b: 1 }),
      await worker.complete(it, { a: 3 }),
    ];

    expect(replies.map((reply) => reply.status)).toEqual([200, 200, 409]);
    expect(replies[1]?.body).toEqual(replies[0]?.body);
    expect(replies[2]?.body).toMatchObject({ code: 'attempt_ended' });
    expect((await eventTypes(backend, task_id)).filter((type) => type === 'subtask.completed')).toHaveLength(1);
  });

  it('sent again with the same result is refused under another lease_token or attempt, alone and with others', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim());
    await worker.complete(it, 1);
    const strange = { ...it, lease_token: crypto.randomUUID() };
    const among = ({ subtask_id, ...fenced }: typeof it) =>
      worker.as.ok.completeSubtasks({
        params: { worker_id: worker.worker_id },
        body: { completions: [{ subtask_id, ...worker.fence({ subtask_id, ...fenced }), result: 1 }] },
      });

    for (const other of [strange, { ...it, attempt: it.attempt + 1 }]) {
      expect(await worker.complete(other, 1)).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
      expect((await among(other)).results).toMatchObject([{ ok: false, code: 'lease_lost' }]);
    }
    expect((await worker.complete(it, 1)).status).toBe(200);
    expect((await among(it)).results).toMatchObject([{ ok: true }]);
  });

  it('of several subtasks checks each separately and claims the next ones in the same request', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: diamond });
    await backend.admin.ok.submitTask({ body: { goal: 'another' } });
    const [a, b] = await worker.claim(2);
    if (!a || !b) throw new Error('two were to be claimed');

    const reply = await worker.as.ok.completeSubtasks({
      params: { worker_id: worker.worker_id },
      body: {
        completions: [
          { subtask_id: a.subtask_id, ...worker.fence(a), result: 1 },
          { subtask_id: b.subtask_id, ...worker.fence(b), lease_token: crypto.randomUUID() },
        ],
        claim: { claim_request_id: crypto.randomUUID(), limit: 5, start: true },
      },
    });

    expect(reply.results).toMatchObject([
      { ok: true, status: 'completed' },
      { ok: false, code: 'lease_lost' },
    ]);
    expect(reply.claim?.claimed.map((it) => it.key).toSorted()).toEqual(a.key === 'top' ? ['left', 'right'] : []);
  });
});

describe('a task', () => {
  it('that is cancelled revokes all its leases, and workers learn of it from their heartbeat', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: diamond });
    const it = first(await worker.claim());

    const cancelled = await backend.admin.ok.cancelTask({ params: { task_id }, body: { reason: 'changed my mind' } });

    expect(cancelled).toMatchObject({ status: 'cancelled', ended_count: 4 });
    expect((await worker.heartbeat([it])).body).toMatchObject({ leases: [{ state: 'lost', directive: 'cancel' }] });
    expect(await worker.complete(it)).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
    expect((await backend.admin.cancelTask({ params: { task_id } })).status).toBe(200);
  });

  it('that is paused gives out no new subtasks, lets running ones continue, and continues when it is resumed', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: diamond });
    const it = first(await worker.claim());

    expect(await backend.admin.ok.pauseTask({ params: { task_id } })).toMatchObject({ paused: true, status: 'running' });
    expect((await worker.complete(it)).status).toBe(200);
    expect(await worker.claim()).toEqual([]);

    await backend.admin.ok.resumeTask({ params: { task_id } });
    expect(await drain(worker)).toHaveLength(3);
  });

  it('that failed and is retried runs again what did not complete, and keeps what did', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: diamond });
    await worker.complete(first(await worker.claim()));
    const [left] = await worker.claim(2);
    if (left) await worker.fail(left);

    const { started_at } = await backend.admin.ok.getTask({ params: { task_id } });
    const retried = await backend.admin.ok.retryTask({ params: { task_id } });

    const again = { status: 'running', run: 2, completed_count: 1, ended_count: 1, error: null, started_at, ended_at: null };
    expect(started_at).not.toBeNull();
    expect(retried).toMatchObject(again);
    expect((await drain(worker)).map((it) => it.key)).toEqual(['left', 'right', 'bottom']);
    expect(await backend.admin.ok.getTask({ params: { task_id } })).toMatchObject({ status: 'completed', progress: 100 });
    expect(await backend.admin.retryTask({ params: { task_id } })).toMatchObject({ status: 409, body: { code: 'nothing_to_retry' } });
  });

  it('fails when it has not ended by its deadline', async () => {
    const backend = await backendForTest();
    const { task_id } = await backend.admin.ok.submitTask({ body: { ...diamond, timeout_seconds: 1 } });

    await backend.ctx.sql`update tasks set deadline_at = clock_timestamp() - interval '1 second'`;
    expect(await endOverdue(backend.ctx)).toMatchObject({ expired: 1 });

    expect(await backend.admin.ok.getTask({ params: { task_id } })).toMatchObject({
      status: 'failed',
      error: { code: 'deadline_exceeded' },
    });
  });

  it('is changed only when it still has the version in the body or in If-Match', async () => {
    const backend = await backendForTest();
    const { task_id, version } = await backend.admin.ok.submitTask({ body: diamond });
    const params = { task_id };

    const changed = await backend.admin.updateTask({ params, body: { priority: 9 }, headers: { 'if-match': `"${version}"` } });
    const stale = await backend.admin.updateTask({ params, body: { priority: 1, version } });
    const blind = await backend.admin.updateTask({ params, body: { priority: 1 } });

    expect(changed).toMatchObject({ status: 200, body: { priority: 9, version: version + 1 }, headers: { etag: `"${version + 1}"` } });
    expect(stale).toMatchObject({ status: 412, body: { code: 'version_conflict' } });
    expect(blind).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect((await backend.admin.getTask({ params, headers: { 'if-none-match': `"${version + 1}"` } })).status).toBe(304);
  });

  it('is deleted with all its rows once it has ended, including the bytes of its artifacts', async () => {
    const removed: string[] = [];
    const transfer = { method: 'PUT' as const, url: 'http://blobs.test/x', headers: {}, expires_at: new Date().toISOString() };
    const sha256 = 'a'.repeat(64);
    const backend = await backendForTest({
      blobs: {
        upload: async () => transfer,
        download: async () => transfer,
        stat: async () => ({ size_bytes: 3, sha256 }),
        remove: async (key) => void removed.push(key),
      },
    });
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim());
    const params = { subtask_id: it.subtask_id };
    const { artifact_id } = await worker.as.ok.createArtifact({
      params,
      body: { ...worker.fence(it), name: 'a/b.txt', size_bytes: 3, sha256 },
    });
    await worker.as.ok.storeArtifact({ params: { ...params, artifact_id }, body: worker.fence(it) });

    expect(await backend.admin.deleteTask({ params: { task_id } })).toMatchObject({ status: 409, body: { code: 'task_not_ended' } });
    expect((await worker.as.completeSubtask({ params, body: { ...worker.fence(it), result_artifact_id: artifact_id } })).status).toBe(200);
    await backend.admin.ok.deleteTask({ params: { task_id } });
    await backend.ctx.sql`update outbox set available_at = clock_timestamp()`;
    expect(await relay(backend.ctx)).toMatchObject({ postponed: 0 });

    expect(removed).toEqual([artifact_id]);
    expect((await backend.admin.getTask({ params: { task_id } })).status).toBe(404);
    const [left] = await backend.ctx.sql`
      select (select count(*) from subtasks) + (select count(*) from attempts) + (select count(*) from activity_logs) + (select count(*) from outbox) as rows`;
    expect(left).toEqual({ rows: 0 });
  });
});

describe('logs', () => {
  it('are stored once for each chunk number and acknowledged up to the first missing one', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim());
    const params = { subtask_id: it.subtask_id };
    const send = (...numbers: number[]) =>
      worker.as.ok.appendLogs({
        params,
        body: { ...worker.fence(it), chunks: numbers.map((chunk) => ({ chunk, stream: 'stdout', content: `${chunk};` })) },
      });

    expect(await send(0, 1)).toEqual({ next_chunk: 2 });
    expect(await send(1, 3)).toEqual({ next_chunk: 2 });
    expect(await send(2)).toEqual({ next_chunk: 4 });

    expect(await backend.admin.ok.listLogs({ params, query: { after_chunk: 0, limit: 2 } })).toMatchObject({
      items: [{ content: '1;' }, { content: '2;' }],
      complete: false,
    });
    await worker.complete(it);
    expect(await backend.admin.ok.listLogs({ params, query: { after_chunk: 2 } })).toMatchObject({
      items: [{ content: '3;' }],
      complete: true,
    });
  });

  it('are complete once their attempt has ended, and are refused afterwards', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const it = first(await worker.claim());
    const params = { subtask_id: it.subtask_id };
    const send = (chunk: number) =>
      worker.as.appendLogs({ params, body: { ...worker.fence(it), chunks: [{ chunk, stream: 'stdout', content: 'x' }] } });
    const read = async () => {
      const { items, complete } = await backend.admin.ok.listLogs({ params, query: {} });
      return [items.length, complete];
    };

    await send(0);
    expect(await read()).toEqual([1, false]);
    await worker.complete(it);

    expect(await send(1)).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
    expect(await read()).toEqual([1, true]);
  });
});
