import { describe, expect, it } from 'vitest';
import type { BlobStore } from '../../../functions/domain/ports/blobs.ts';
import type { Parts } from '../../../functions/platform/context.ts';
import { tick } from '../../../functions/schedule/tick.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { drain, enrol } from '../../support/worker.ts';
import { backendWithQueues, breakableRedis } from './support/live.ts';

const WORKERS = 10;
const MINUTES = 180;

/** Lets an hour pass for the time at which there was last new work. */
const letSettle = async (redis: ReturnType<typeof breakableRedis>['redis']) => {
  const generation = await redis.get<string>('work:generation');
  if (generation === null) throw new Error('nothing was ever new');
  await redis.set('work:generation', `${Date.now() - 3_600_000}${generation.slice(generation.indexOf('-'))}`);
};

const refuse = () => Promise.reject(new Error('of no use here'));
const noBlobs: BlobStore = { upload: refuse, download: refuse, stat: refuse, remove: refuse };

const idleSystem = async (parts: Parts = {}) => {
  const broken = breakableRedis();
  const { backend, client, held, hold, settle } = await backendWithQueues({ redis: broken.redis, ...parts });
  const workers = await Promise.all(Array.from({ length: WORKERS }, (_, n) => enrol(backend, { name: `w${n}` })));
  const [first] = workers;
  const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'the last task' } });
  if (first) await drain(first);
  const { task_id: cancelled } = await backend.admin.ok.submitTask({ body: { goal: 'not wanted' } });
  await backend.admin.ok.cancelTask({ params: { task_id: cancelled } });
  await settle();
  for (const worker of workers) await worker.heartbeat();
  await settle();
  await letSettle(broken.redis);
  await tick(backend.ctx);
  const claim = (worker: (typeof workers)[number]) =>
    worker.as.claimSubtasks({
      params: { worker_id: worker.worker_id },
      body: { claim_request_id: crypto.randomUUID(), tools: ['scripted'], start: true },
    });
  return {
    backend,
    client,
    held,
    hold,
    settle,
    workers,
    claim,
    task_id,
    cancelled,
    redis: broken.redis,
    setUnavailable: broken.setUnavailable,
  };
};

describe.skipIf(NO_REDIS)('an idle system with ten workers', () => {
  it('does not query Postgres for three hours, by heartbeats, claims or the tick', async () => {
    const { backend, workers, claim } = await idleSystem();
    const before = backend.ctx.sql.counted();

    for (let minute = 0; minute < MINUTES; minute++) {
      for (const worker of workers) {
        expect(await worker.heartbeat()).toMatchObject({ status: 200, body: { mode: 'active' } });
        expect(await claim(worker)).toMatchObject({ status: 200, body: { claimed: [], empty_reason: 'nothing_ready' } });
      }
      await tick(backend.ctx);
    }

    expect(backend.ctx.sql.counted() - before).toBe(0);
  });

  it('wakes up with the next task', async () => {
    const { backend, workers, claim } = await idleSystem();
    const [first] = workers;

    await backend.admin.ok.submitTask({ body: { goal: 'new' } });

    expect(await tick(backend.ctx)).not.toBeNull();
    await expect.poll(async () => (first ? (await claim(first)).body.claimed.length : 0), { timeout: 15_000 }).toBe(1);
  });

  it('finds what was submitted while Redis was unavailable, when it returns with its old content', async () => {
    const { backend, client, held, hold, settle, workers, claim, redis, setUnavailable } = await idleSystem();
    const [first] = workers;
    hold(true);
    setUnavailable(true);
    await backend.admin.ok.submitTask({ body: { goal: 'in the dark' } });
    const isWake = (body: string) => (JSON.parse(body) as { topic: string }).topic === 'wake';
    const sent = held.flatMap(([queue, messages]) => messages.map((message) => ({ queue, message })));
    for (const { queue, message } of sent.filter((it) => !isWake(it.message.body))) await client.send(queue, [message]);
    await settle();
    setUnavailable(false);
    expect(await tick(backend.ctx)).toBeNull();

    const [wake, ...more] = sent.filter((it) => isWake(it.message.body));
    expect([wake?.message.delaySeconds, more]).toEqual([10, []]);
    await redis.del('lock:reconcile'); // as if 20 s had passed since the last one
    await client.send('subtasks', [{ id: 'wake', body: wake?.message.body ?? '' }]);

    await expect.poll(() => tick(backend.ctx), { timeout: 15_000 }).not.toBeNull();
    await expect.poll(async () => (first ? (await claim(first)).body.claimed.length : 0), { timeout: 15_000 }).toBe(1);
  });

  it('wakes up for a retry', async () => {
    const { backend, hold, cancelled } = await idleSystem();
    expect(await tick(backend.ctx)).toBeNull();
    hold(true); // the messages of the queues would wake it, too

    await backend.admin.ok.retryTask({ params: { task_id: cancelled } });

    expect(await tick(backend.ctx)).not.toBeNull();
  });

  it('removes the files of a task that is deleted', async () => {
    const removed: string[] = [];
    const { backend, cancelled: task_id } = await idleSystem({ blobs: { ...noBlobs, remove: async (key) => void removed.push(key) } });
    const [artifact] = await backend.ctx.sql<[{ artifact_id: string }]>`
      insert into artifacts (organization_id, task_id, subtask_id, attempt, name, content_type, size_bytes, sha256)
      select organization_id, task_id, subtask_id, 1, 'a.txt', 'text/plain', 1, repeat('0', 64) from subtasks where task_id = ${task_id}
      returning artifact_id`;
    expect(await tick(backend.ctx)).toBeNull();

    await backend.admin.ok.deleteTask({ params: { task_id } });

    expect(await tick(backend.ctx)).not.toBeNull();
    expect(removed).toEqual([artifact.artifact_id]);
  });

  it('wakes up for every change after a flush', async () => {
    const { backend, redis } = await idleSystem();
    expect(await tick(backend.ctx)).toBeNull();

    await redis.flushall();

    expect(await tick(backend.ctx)).not.toBeNull();
    expect(await tick(backend.ctx)).not.toBeNull();
  });

  it('does not become idle before an announced transaction must have ended', async () => {
    const { backend, redis } = await idleSystem();
    await backend.ctx.hints.bump(); // whose task is not committed yet

    expect(await tick(backend.ctx)).not.toBeNull();
    expect(await tick(backend.ctx)).not.toBeNull();
    await letSettle(redis);
    expect(await tick(backend.ctx)).not.toBeNull();

    expect(await tick(backend.ctx)).toBeNull();
  });

  it('does not become idle if a change is announced during the tick', async () => {
    const { backend, redis } = await idleSystem();
    const { hints } = backend.ctx;
    await hints.bump();
    await letSettle(redis);
    let isAnnounced = false;
    const activity = async () => {
      const before = await hints.activity();
      if (!isAnnounced) isAnnounced = await hints.bump();
      return before;
    };

    await tick({ ...backend.ctx, hints: { ...hints, activity } });

    expect(await tick(backend.ctx)).not.toBeNull();
  });

  it('does not become idle while the outbox has a row of the last task', async () => {
    const { backend, hold, settle, redis } = await idleSystem();
    hold(true);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'short' } });
    await backend.admin.ok.cancelTask({ params: { task_id } });
    hold(false);
    await letSettle(redis);

    expect(await tick(backend.ctx)).not.toBeNull();
    expect(await tick(backend.ctx)).not.toBeNull();
    await backend.ctx.sql`update outbox set available_at = clock_timestamp()`;
    expect(await tick(backend.ctx)).not.toBeNull();
    await settle();
    await letSettle(redis);
    await tick(backend.ctx);

    expect(await tick(backend.ctx)).toBeNull();
  });

  it('learns of a change of its mode and of its removal', async () => {
    const { backend, workers } = await idleSystem();
    const [draining, removed] = workers;
    if (draining === undefined || removed === undefined) throw new Error('no workers');

    await backend.admin.ok.updateWorker({ params: { worker_id: draining.worker_id }, body: { version: 1, mode: 'draining' } });
    await backend.admin.ok.deleteWorker({ params: { worker_id: removed.worker_id } });

    expect((await draining.heartbeat()).body).toMatchObject({ mode: 'draining' });
    expect(await removed.heartbeat()).toMatchObject({ status: 401, body: { code: 'worker_revoked' } });
  });
});
