import { describe, expect, it } from 'vitest';
import { announceExpired } from '../../../functions/domain/live/announce-workers.ts';
import { keys } from '../../../functions/platform/hints/redis-keys.ts';
import { tick } from '../../../functions/schedule/tick.ts';
import { until } from '../../support/processes.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { drain, enrol } from '../../support/worker.ts';
import { backendWithQueues, breakableRedis } from './support/live.ts';

type Message = Record<string, unknown>;

/** A backend, and a subscriber to its Redis, as any program can be. */
const listening = async () => {
  const { redis, requester } = breakableRedis();
  const received: Record<string, Message[]> = {};
  await requester.subscribe('psubscribe', 'events:*', (text, channel) => void (received[channel] ??= []).push(JSON.parse(text)));
  const { backend, settle } = await backendWithQueues({ redis });
  const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
  const receives = (channel: string, message: Message) =>
    until(
      `${channel} to publish ${JSON.stringify(message)}`,
      () => received[channel]?.some((it) => Object.entries(message).every(([name, value]) => it[name] === value)),
      15_000,
    );
  return { backend, settle, redis, organization_id, received, receives };
};

describe.skipIf(NO_REDIS)('a subscriber to Redis', () => {
  it('receives changes of tasks and workers, and completed subtasks', async () => {
    const { backend, organization_id, received, receives } = await listening();
    const { worker_id, ...worker } = await enrol(backend);
    const { task_id, ...submitted } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await receives('events:task_update', { task_id, organization_id, status: 'pending', progress: 0, version: submitted.version });
    await receives('events:worker_update', { organization_id, worker_id, status: 'online', mode: 'active' });

    const [done] = await drain({ worker_id, ...worker });
    await backend.admin.ok.updateWorker({ params: { worker_id }, body: { version: 1, mode: 'draining' } });

    await receives('events:subtask_complete', { organization_id, task_id, subtask_id: done?.subtask_id });
    await receives('events:task_update', { task_id, status: 'completed', progress: 100 });
    await receives('events:worker_update', { organization_id, worker_id, status: 'online', mode: 'draining' });
    expect(Object.keys(received).toSorted()).toEqual(['events:subtask_complete', 'events:task_update', 'events:worker_update']);
  });

  it('receives the end of a worker that died, which is then no longer online', async () => {
    const { backend, redis, organization_id, receives } = await listening();
    const dying = await enrol(backend);
    const living = await enrol(backend);
    await dying.heartbeat();
    await living.heartbeat();
    const online = () => redis.smembers(keys.online(organization_id));
    expect((await online()).toSorted()).toEqual([dying.worker_id, living.worker_id].toSorted());
    const seconds = await redis.ttl(keys.status(dying.worker_id));

    await redis.del(keys.status(dying.worker_id)); // as its time to live does
    await tick(backend.ctx);

    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(120);
    expect(await online()).toEqual([living.worker_id]);
    await receives('events:worker_update', { organization_id, worker_id: dying.worker_id, status: 'offline' });
  });

  it('receives when a worker becomes busy and when it is free again', async () => {
    const { backend, organization_id, received, receives } = await listening();
    const { worker_id, ...worker } = await enrol(backend, { slots: 1 });
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await receives('events:worker_update', { organization_id, worker_id, status: 'online' });
    const [it] = await worker.claim();
    if (it === undefined) throw new Error('nothing was claimed');
    const beat = (leases: { subtask_id: string; lease_token: string; attempt: number }[]) =>
      worker.as.ok.heartbeat({ params: { worker_id }, body: { slots: 1, leases } });

    await beat([{ subtask_id: it.subtask_id, ...worker.fence(it) }]);
    await receives('events:worker_update', { organization_id, worker_id, status: 'busy', mode: 'active' });
    await worker.complete(it);
    received['events:worker_update'] = [];
    await beat([]);

    await receives('events:worker_update', { organization_id, worker_id, status: 'online', mode: 'active' });
  });

  it('receives a worker as busy, not online, when another field of it changes', async () => {
    const { backend, organization_id, received, receives } = await listening();
    const { worker_id, ...worker } = await enrol(backend, { slots: 1 });
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const [it] = await worker.claim();
    if (it === undefined) throw new Error('nothing was claimed');
    const leases = [{ subtask_id: it.subtask_id, ...worker.fence(it) }];
    await worker.as.ok.heartbeat({ params: { worker_id }, body: { slots: 1, leases } });
    await receives('events:worker_update', { organization_id, worker_id, status: 'busy' });
    received['events:worker_update'] = [];

    await backend.admin.ok.updateWorker({ params: { worker_id }, body: { version: 1, mode: 'draining' } });

    await receives('events:worker_update', { organization_id, worker_id, status: 'busy', mode: 'draining' });
    expect(received['events:worker_update']).not.toContainEqual(expect.objectContaining({ status: 'online' }));
  });

  it('receives the end of a worker that never sent a heartbeat', async () => {
    const { backend, redis, organization_id, received, receives } = await listening();
    const { worker_id } = await enrol(backend);
    await receives('events:worker_update', { organization_id, worker_id, status: 'online' });

    await announceExpired(backend.ctx);
    const before = received['events:worker_update']?.length;
    await redis.del(keys.info(worker_id)); // as its time to live does
    await announceExpired(backend.ctx);

    await receives('events:worker_update', { organization_id, worker_id, status: 'offline', mode: 'active' });
    expect(before).toBe(1);
  });
});

describe.skipIf(NO_REDIS)('the sweep of presence', () => {
  it('forgets an organization with its last worker, and does not query Postgres while every worker is present', async () => {
    const { backend, settle, redis, organization_id } = await listening();
    const worker = await enrol(backend);
    await worker.heartbeat();
    await settle();
    const sweep = async () => {
      const before = backend.ctx.sql.counted();
      await announceExpired(backend.ctx);
      return backend.ctx.sql.counted() - before;
    };

    const quiet = await sweep();
    const during = await redis.smembers(keys.present);
    await redis.del(keys.status(worker.worker_id));
    const busy = await sweep();
    await sweep();

    expect([quiet, busy, during]).toEqual([0, 1, [organization_id]]);
    expect(await redis.smembers(keys.present)).toEqual([]);
  });

  it('keeps a worker that returns while it is announced as gone, and announces its return', async () => {
    const { backend, settle, redis, organization_id, received, receives } = await listening();
    const worker = await enrol(backend);
    const { worker_id } = worker;
    await worker.heartbeat();
    await settle();
    await redis.del(keys.status(worker_id));
    received['events:worker_update'] = [];
    const { hints } = backend.ctx;
    const publishWorkers: typeof hints.publishWorkers = async (changes) => {
      if (changes[0]?.status === 'offline') await redis.set(keys.status(worker_id), 'busy', { ex: 120 });
      return hints.publishWorkers(changes);
    };

    await announceExpired({ ...backend.ctx, hints: { ...hints, publishWorkers } });

    await receives('events:worker_update', { organization_id, worker_id, status: 'busy' });
    expect(received['events:worker_update']?.map(({ status }) => status)).toEqual(['offline', 'busy']);
    expect(await redis.smembers(keys.online(organization_id))).toEqual([worker_id]);
  });
});
