import { describe, expect, it } from 'vitest';
import { keys } from '../../../functions/platform/hints/keys.ts';
import { tick } from '../../../functions/schedule/tick.ts';
import { until } from '../../support/processes.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { drain, enrol } from '../../support/worker.ts';
import { backendWithQueues, breakableRedis } from './support/live.ts';

type Message = Record<string, unknown>;

/** A backend, and who listens to its Redis as any program may. */
const listening = async () => {
  const { redis, requester } = breakableRedis();
  const heard: Record<string, Message[]> = {};
  await requester.subscribe('psubscribe', 'events:*', (text, channel) => void (heard[channel] ??= []).push(JSON.parse(text)));
  const { backend } = await backendWithQueues({ redis });
  const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
  const hears = (channel: string, message: Message) =>
    until(
      `${channel} to tell ${JSON.stringify(message)}`,
      () => heard[channel]?.some((it) => Object.entries(message).every(([name, value]) => it[name] === value)),
      15_000,
    );
  return { backend, redis, organization_id, heard, hears };
};

describe.skipIf(NO_REDIS)('whoever subscribes to Redis', () => {
  it('hears of tasks, of workers and of subtasks that are complete', async () => {
    const { backend, organization_id, heard, hears } = await listening();
    const { worker_id, ...worker } = await enrol(backend);
    const { task_id, ...submitted } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await hears('events:task_update', { task_id, organization_id, status: 'pending', progress: 0, version: submitted.version });
    await hears('events:worker_update', { organization_id, worker_id, status: 'online', mode: 'active' });

    const [done] = await drain({ worker_id, ...worker });
    await backend.admin.ok.updateWorker({ params: { worker_id }, body: { version: 1, mode: 'draining' } });

    await hears('events:subtask_complete', { organization_id, task_id, subtask_id: done?.subtask_id });
    await hears('events:task_update', { task_id, status: 'completed', progress: 100 });
    await hears('events:worker_update', { organization_id, worker_id, status: 'online', mode: 'draining' });
    expect(Object.keys(heard).toSorted()).toEqual(['events:subtask_complete', 'events:task_update', 'events:worker_update']);
  });

  it('hears of a worker that died, which is then no longer among those online', async () => {
    const { backend, redis, organization_id, hears } = await listening();
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
    await hears('events:worker_update', { organization_id, worker_id: dying.worker_id, status: 'offline' });
  });
});
