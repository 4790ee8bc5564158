import { describe, expect, it } from 'vitest';
import type { Sql } from '../../../functions/domain/ports/sql.ts';
import { reconcile } from '../../../functions/domain/live/reconcile.ts';
import { backendForTest } from '../../support/backend.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { enrol } from '../../support/worker.ts';
import { backendWithQueues, breakableRedis } from './support/live.ts';

const organizationOf = async (sql: Sql) =>
  (await sql<[{ organization_id: string }]>`select organization_id from organizations`)[0].organization_id;

const readySet = async (sql: Sql) =>
  (await sql<{ subtask_id: string }[]>`select subtask_id from queue_entries where not paused order by 1`).map((row) => row.subtask_id);

describe.skipIf(NO_REDIS)('the ready queue in Redis', () => {
  it('equals the queue in Postgres after a flush and a reconcile, in the order of rank', async () => {
    const { redis } = breakableRedis();
    const { backend } = await backendWithQueues({ redis });
    await enrol(backend);
    const organization_id = await organizationOf(backend.ctx.sql);
    const subtasks = Array.from({ length: 30 }, (_, n) => ({ key: `s${n}`, goal: 'x' }));
    await backend.admin.ok.submitTask({ body: { goal: 'low', priority: 1, subtasks } });
    await backend.admin.ok.submitTask({ body: { goal: 'high', priority: 9, subtasks: subtasks.slice(0, 3) } });

    await redis.flushall();
    expect(await backend.ctx.hints.propose(organization_id, ['scripted'], 100)).toBeNull();
    await reconcile(backend.ctx);

    const proposed = await backend.ctx.hints.propose(organization_id, ['scripted'], 100);
    expect(proposed?.toSorted()).toEqual(await readySet(backend.ctx.sql));
    const [first] = await backend.ctx.sql<
      [{ priority: number }]
    >`select priority from queue_entries where subtask_id = ${proposed?.[0] ?? null}`;
    expect(first.priority).toBe(9);
  });

  it('is reconciled by the delayed messages of a tick that runs every minute', async () => {
    const { redis } = breakableRedis();
    const { backend, client } = await backendWithQueues({ redis });
    const organization_id = await organizationOf(backend.ctx.sql);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const proposed = () => backend.ctx.hints.propose(organization_id, ['scripted'], 100);
    await redis.flushall();

    await client.send('subtasks', [{ id: '1', body: JSON.stringify({ topic: 'overdue' }) }]);

    await expect.poll(proposed, { timeout: 15_000 }).toEqual(await readySet(backend.ctx.sql));
  });

  it('follows what becomes ready, is claimed, paused, resumed and cancelled', async () => {
    const { redis } = breakableRedis();
    const { backend } = await backendWithQueues({ redis });
    const worker = await enrol(backend);
    const organization_id = await organizationOf(backend.ctx.sql);
    await reconcile(backend.ctx);
    const proposes = (count: number) =>
      expect.poll(() => backend.ctx.hints.propose(organization_id, ['scripted'], 100), { timeout: 15_000 }).toHaveLength(count);
    const subtasks = [
      { key: 'a', goal: 'a' },
      { key: 'b', goal: 'b' },
      { key: 'c', goal: 'c', dependencies: ['a'] },
    ];
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks } });

    await proposes(2);
    const [claimed] = await worker.claim();
    await proposes(1);
    if (claimed) await worker.complete(claimed);
    await proposes(2);
    await backend.admin.ok.pauseTask({ params: { task_id } });
    await proposes(0);
    await backend.admin.ok.resumeTask({ params: { task_id } });
    await proposes(2);
    await backend.admin.ok.cancelTask({ params: { task_id } });
    await proposes(0);
  });

  it('keeps entries that were not read when there are too many, and adds more than fit into one request', async () => {
    const { redis } = breakableRedis();
    const { backend } = await backendWithQueues({ redis });
    const organization_id = crypto.randomUUID();
    const place = (turn: number) => ({ organization_id, tool: 'scripted', subtask_id: crypto.randomUUID(), priority: 5, turn });
    const unread = place(9_000);
    await backend.ctx.hints.place([unread], []);
    const ready = Array.from({ length: 2_500 }, (_, turn) => place(turn));

    const reconciled = await backend.ctx.hints.reconcile(organization_id, async () => ({ ready, in_progress: [], is_whole: false }));

    expect(reconciled).toBe(true);
    const proposed = await backend.ctx.hints.propose(organization_id, ['scripted'], 3_000);
    expect(proposed).toEqual([...ready, unread].map((it) => it.subtask_id));
  });

  it('loses its wrong entries in a reconcile', async () => {
    const backend = await backendForTest();
    const { hints, sql } = backend.ctx;
    const organization_id = await organizationOf(sql);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await reconcile(backend.ctx);
    await hints.place([{ organization_id, tool: 'scripted', subtask_id: crypto.randomUUID(), priority: 9, turn: 1 }], []);
    expect(await hints.propose(organization_id, ['scripted'], 10)).toHaveLength(2);

    await reconcile(backend.ctx);

    expect(await hints.propose(organization_id, ['scripted'], 10)).toEqual(await readySet(sql));
  });

  it('proposes and does not decide: wrong and missing entries do not affect a claim', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const organization_id = await organizationOf(backend.ctx.sql);
    await reconcile(backend.ctx);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const [subtask_id] = await readySet(backend.ctx.sql);
    const claim = () =>
      worker.as.ok.claimSubtasks({
        params: { worker_id: worker.worker_id },
        body: { claim_request_id: crypto.randomUUID(), start: true, tools: ['scripted'] },
      });

    await backend.ctx.hints.place([{ organization_id, tool: 'scripted', subtask_id: crypto.randomUUID(), priority: 9, turn: 1 }], []);

    expect((await claim()).claimed.map((it) => it.subtask_id)).toEqual([subtask_id]);
  });
});

describe.skipIf(NO_REDIS)('a task that is read', () => {
  it('comes from Redis until the task ends, never older than an earlier response', async () => {
    const { backend } = await backendWithQueues(breakableRedis());
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const params = { task_id };
    const hits = async () => (await backend.ctx.hints.rates())?.task.hits ?? 0;
    expect(await backend.ctx.hints.readTask('', task_id)).toBeNull();
    await expect.poll(async () => (await backend.admin.ok.getTask({ params })) && hits(), { timeout: 15_000 }).toBeGreaterThan(0);

    for (let priority = 0; priority < 8; priority++) {
      const { version } = await backend.admin.ok.getTask({ params });
      const changed = await backend.admin.ok.updateTask({ params, body: { version, priority } });
      const read = await backend.admin.ok.getTask({ params });
      expect([read.version, read.priority]).toEqual([changed.version, priority]);
    }
    await backend.admin.ok.cancelTask({ params });
    expect((await backend.admin.ok.getTask({ params })).status).toBe('cancelled');
  });

  it('is never older than a confirmed completion or removal of a worker, however late the events are', async () => {
    const { backend, hold } = await backendWithQueues(breakableRedis());
    const subtasks = ['a', 'b', 'c'].map((key) => ({ key, goal: key }));
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks } });
    const worker = await enrol(backend);
    const [a, b] = await worker.claim(2);
    const read = () => backend.admin.ok.getTask({ params: { task_id } });
    const own = await organizationOf(backend.ctx.sql);
    await expect.poll(async () => (await backend.ctx.hints.readTask(own, task_id))?.status, { timeout: 15_000 }).toBe('running');
    hold(true);

    const before = (await read()).progress;
    if (a && b) await worker.complete(a);
    const between = await read();
    await backend.admin.ok.deleteWorker({ params: { worker_id: worker.worker_id } });
    const after = await read();

    expect(between.progress).toBeGreaterThan(before);
    expect(after.last_seq).toBeGreaterThan(between.last_seq);
  });

  it('is not read from an old copy either when an older number is recorded after a newer one', async () => {
    const { backend, settle } = await backendWithQueues(breakableRedis());
    const { hints, sql } = backend.ctx;
    const { task_id, last_seq } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const own = await organizationOf(sql);
    await settle();
    expect(await hints.readTask(own, task_id)).toMatchObject({ last_seq });

    // Two requests changed it; the one that committed first records its number last.
    await hints.recordChanges({ tasks: [{ task_id, last_seq: last_seq + 2 }], workers: [], removed: [] });
    await hints.recordChanges({ tasks: [{ task_id, last_seq }], workers: [], removed: [] });

    expect(await hints.readTask(own, task_id)).toBeNull();
  });

  it('of another organization is not found, cached or not', async () => {
    const { backend } = await backendWithQueues(breakableRedis());
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const { key, organization_id } = await backend.newKey({ organization: 'abroad' });
    const own = await organizationOf(backend.ctx.sql);
    await expect.poll(() => backend.ctx.hints.readTask(own, task_id), { timeout: 15_000 }).not.toBeNull();

    expect(await backend.ctx.hints.readTask(organization_id, task_id)).toBeNull();
    expect((await backend.as(key).getTask({ params: { task_id } })).status).toBe(404);
  });
});

describe.skipIf(NO_REDIS)('a request', () => {
  it('costs at most one round trip to Redis', async () => {
    const { redis } = breakableRedis();
    const backend = await backendForTest({ redis });
    const worker = await enrol(backend);
    const params = { worker_id: worker.worker_id };
    const subtasks = ['a', 'b', 'c', 'd', 'e'].map((key) => ({ key, goal: key }));
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', on_failure: 'continue', subtasks } });
    await reconcile(backend.ctx);
    const claim = () =>
      worker.as.claimSubtasks({ params, body: { claim_request_id: crypto.randomUUID(), limit: 1, start: true, tools: ['scripted'] } });
    const [held, done, failed] = await worker.claim(3);
    if (!held || !done || !failed) throw new Error('nothing was claimed');
    const { version } = await backend.admin.ok.getTask({ params: { task_id } });
    const work = {
      submit: () => backend.admin.submitTask({ body: { goal: 'y', subtasks } }),
      update: () => backend.admin.updateTask({ params: { task_id }, body: { version, priority: 2 } }),
      'get a task': () => backend.admin.getTask({ params: { task_id } }),
      'get a worker': () => backend.admin.getWorker({ params }),
      'list workers': () => backend.admin.listWorkers(),
      claim,
      complete: () => worker.complete(done),
      fail: () => worker.fail(failed),
      'an idle heartbeat': () => worker.heartbeat(),
      'a busy heartbeat': () => worker.heartbeat([held]),
      pause: () => backend.admin.pauseTask({ params: { task_id } }),
      'remove a worker': () => backend.admin.deleteWorker({ params }),
      cancel: () => backend.admin.cancelTask({ params: { task_id } }),
      retry: () => backend.admin.retryTask({ params: { task_id } }),
    };

    const counts: Record<string, number> = {};
    for (const [name, run] of Object.entries(work)) {
      const before = redis.counted().round_trips;
      expect([name, (await run()).status]).toEqual([name, expect.toSatisfy((status: number) => status < 300)]);
      counts[name] = redis.counted().round_trips - before;
    }

    expect(Object.entries(counts).filter(([, count]) => count > 1)).toEqual([]);
  });
});

describe('without Redis', () => {
  it('everything works except push', async () => {
    const { redis, setUnavailable } = breakableRedis();
    const { backend } = await backendWithQueues({ redis });
    setUnavailable(true);
    const worker = await enrol(backend);

    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const [claimed] = await worker.claim();
    if (claimed) await worker.complete(claimed);

    expect((await worker.heartbeat()).status).toBe(200);
    expect((await backend.admin.ok.getTask({ params: { task_id } })).status).toBe('completed');
    expect((await backend.admin.createTicket()).status).toBe(503);
    expect((await backend.send({ method: 'GET', path: '/api/v1/health' })).body).toMatchObject({
      status: 'healthy',
      services: { redis: 'disconnected' },
    });
  });
});
