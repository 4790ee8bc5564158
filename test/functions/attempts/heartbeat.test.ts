import { describe, expect, it, onTestFinished } from 'vitest';
import { heartbeat } from '../../../functions/domain/attempts/attempts.sql.ts';
import { openPool } from '../../../functions/platform/pool.ts';
import type { Claimed } from '../../../schema/attempt.ts';
import type { Json } from '../../../schema/json.ts';
import { type Backend, backendForTest } from '../../support/backend.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { enrol } from '../../support/worker.ts';
import { backendWithQueues, breakableRedis } from '../live/support/live.ts';

/** Two attempts of one worker whose leases are about to expire. */
const heldForTest = async () => {
  const backend = await backendForTest();
  const worker = await enrol(backend);
  await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: ['a', 'b'].map((key) => ({ key, goal: key })) } });
  const [one, two] = await worker.claim(2);
  if (one === undefined || two === undefined) throw new Error('two were to be claimed');
  await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() + interval '1 second'`;
  return { backend, worker, one, two };
};

/** The seconds until a lease expires; each renewal makes it 60. */
const leftOf = async ({ ctx }: Backend, { subtask_id, attempt }: Claimed): Promise<number> => {
  const [row] = await ctx.sql<[{ left: number }]>`
    select extract(epoch from lease_expires_at - clock_timestamp())::float8 as left
    from attempts where subtask_id = ${subtask_id} and attempt = ${attempt}`;
  return row.left;
};

describe('a heartbeat', () => {
  it('renews the leases that it lists for their full time, and no others', async () => {
    const { backend, worker, one, two } = await heldForTest();

    const { body } = await worker.heartbeat([one]);

    expect(body.leases).toEqual([
      {
        subtask_id: one.subtask_id,
        attempt: 1,
        state: 'renewed',
        left_ms: expect.toSatisfy((ms: number) => ms > 30_000 && ms <= 60_000),
        directive: null,
      },
    ]);
    expect(await leftOf(backend, one)).toBeGreaterThan(30);
    expect(await leftOf(backend, one)).toBeLessThanOrEqual(60);
    expect(await leftOf(backend, two)).toBeLessThanOrEqual(1);
  });

  it('does not renew a lease with an unknown lease_token or attempt, and reports it as lost', async () => {
    const { backend, worker, one, two } = await heldForTest();

    const { body } = await worker.heartbeat([
      { ...one, lease_token: two.lease_token },
      { ...two, attempt: 2 },
    ]);

    expect(body.leases).toMatchObject([{ state: 'lost' }, { state: 'lost' }]);
    for (const it of [one, two]) expect(await leftOf(backend, it)).toBeLessThanOrEqual(1);
  });

  it('does not renew the lease of another worker, and reports it as lost', async () => {
    const { backend, one } = await heldForTest();
    const another = await enrol(backend);

    const { body } = await another.heartbeat([one]);

    expect(body.leases).toMatchObject([{ state: 'lost', directive: null }]);
    expect(await leftOf(backend, one)).toBeLessThanOrEqual(1);
  });

  it('does not renew the lease of an attempt that has ended, and reports it as lost', async () => {
    const { backend, worker, one, two } = await heldForTest();
    await worker.complete(one);
    await worker.release(two);

    const { body } = await worker.heartbeat([one, two]);

    expect(body.leases).toMatchObject([
      { state: 'lost', directive: null },
      { state: 'lost', directive: null },
    ]);
    for (const it of [one, two]) expect(await leftOf(backend, it)).toBeLessThanOrEqual(1);
  });

  it('does not wait for a transaction that is changing the attempt', async () => {
    const { backend, worker, one, two } = await heldForTest();

    const { body } = await backend.ctx.sql.begin(async (sql) => {
      await sql`select from attempts where subtask_id = ${one.subtask_id} for update`;
      return worker.heartbeat([one, two]);
    });

    expect(body.leases).toMatchObject([{ state: 'renewed' }, { state: 'renewed' }]);
    expect(body.leases[0]?.left_ms).toBeLessThanOrEqual(1_000);
    expect(body.leases[1]?.left_ms).toBeGreaterThan(30_000);
    expect(await leftOf(backend, one)).toBeLessThanOrEqual(1);
    expect(await leftOf(backend, two)).toBeGreaterThan(30);
  });

  it('stores the last reported progress, and what the worker reports about its machine', async () => {
    const { backend, worker, one } = await heldForTest();
    const params = { worker_id: worker.worker_id };
    const lease = { subtask_id: one.subtask_id, ...worker.fence(one) };

    await worker.as.ok.heartbeat({ params, body: { leases: [{ ...lease, progress: { percent: 40 } }], info: { load: 1 } } });
    await worker.heartbeat([one]);

    const { attempt_list } = await backend.admin.ok.getSubtask({ params: { subtask_id: one.subtask_id } });
    expect(attempt_list).toMatchObject([{ progress: { percent: 40 } }]);
    const [row] = await backend.ctx.sql`select info from workers where worker_id = ${worker.worker_id}`;
    expect(row).toEqual({ info: { load: 1 } });
  });

  it('reports the version of an updated worker, also when it holds nothing', async () => {
    const { backend } = await backendWithQueues();
    const { worker_id, as } = await enrol(backend);
    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from workers`;
    const params = { worker_id };
    const isKnown = async () => NO_REDIS || (await backend.ctx.hints.readWorker(organization_id, worker_id)) !== null;
    const shown = async (info: Record<string, Json>) => {
      await as.ok.heartbeat({ params, body: { info } });
      const { items } = await backend.admin.ok.listWorkers({});
      return [items[0]?.agent_version, (await backend.admin.ok.getWorker({ params })).agent_version];
    };

    expect(await shown({ agent_version: '1.2.3' })).toEqual(['1.2.3', '1.2.3']);
    await expect.poll(isKnown, { timeout: 10_000 }).toBe(true); // from then on Redis answers a worker that holds nothing
    expect(await shown({ agent_version: '1.2.4' })).toEqual(['1.2.4', '1.2.4']);
    expect(await shown({ load: 1 })).toEqual(['1.2.4', '1.2.4']);
  });

  it.each([[7], [null], ['x'.repeat(61)]])('is refused with an invalid version: %j', async (agent_version) => {
    const backend = await backendForTest();
    const { worker_id, as } = await enrol(backend);

    const { status, body } = await as.heartbeat({ params: { worker_id }, body: { info: { agent_version } } });

    expect([status, body]).toMatchObject([400, { errors: [{ path: 'body.info.agent_version' }] }]);
    expect((await backend.admin.ok.getWorker({ params: { worker_id } })).agent_version).toBe('unknown');
  });

  it('shows a worker as busy when all its slots are in use, and as online when one is free', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { slots: 1 });
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const [it] = await worker.claim();
    const status = async () => {
      await worker.heartbeat();
      return (await backend.admin.ok.getWorker({ params: { worker_id: worker.worker_id } })).status;
    };

    const statuses = [await status()];
    if (it) await worker.complete(it);
    statuses.push(await status());

    expect(statuses).toEqual(['busy', 'online']);
  });

  it('makes a worker present for two minutes', async () => {
    const backend = await backendForTest();
    const { worker_id, heartbeat: beat } = await enrol(backend);
    const statusAfter = async (seconds: number) => {
      await beat();
      await backend.ctx.sql`update workers set last_seen_at = last_seen_at - make_interval(secs => ${seconds})`;
      return (await backend.admin.ok.getWorker({ params: { worker_id } })).status;
    };

    expect([await statusAfter(100), await statusAfter(121), await statusAfter(0)]).toEqual(['online', 'offline', 'online']);
  });

  it.skipIf(NO_REDIS)('is remembered in Redis for two minutes, too, and then nothing of the worker is', async () => {
    const { redis } = breakableRedis();
    const backend = await backendForTest({ redis });
    const { worker_id, heartbeat: beat } = await enrol(backend);
    await beat();

    const ttls = await Promise.all(['status', 'info'].map((part) => redis.ttl(`workers:${worker_id}:${part}`)));

    expect(ttls.filter((seconds) => seconds <= 0 || seconds > 120)).toEqual([]);
  });

  it('does not wait for the disk, but the next commit of its connection does', async () => {
    const { backend, worker } = await heldForTest();
    const pool = openPool(backend.url, { session: { synchronous_commit: 'on' } });
    onTestFinished(() => pool.end());
    const [{ organization_id }] = await pool<[{ organization_id: string }]>`select organization_id from organizations`;
    const commits = async (sql: Pick<typeof pool, 'unsafe'>) =>
      (await sql.unsafe<[{ how: string }]>(`select current_setting('synchronous_commit') as how`))[0].how;
    const beat = (sql: Parameters<typeof heartbeat>[0]) =>
      heartbeat(sql, { organization_id, worker_id: worker.worker_id }, { leases: [] }, 60_000);

    const inside = await pool.begin(async (sql) => {
      await beat(sql);
      return commits(sql);
    });
    const afterTransaction = await commits(pool);
    await beat(pool);
    const afterStatement = await commits(pool);

    expect([inside, afterTransaction, afterStatement]).toEqual(['off', 'on', 'on']);
  });
});
