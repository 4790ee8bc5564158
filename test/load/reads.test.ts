import { describe, expect, it } from 'vitest';
import { keys } from '../../functions/platform/hints/redis-keys.ts';
import { backendWithQueues, breakableRedis } from '../functions/live/support/live.ts';
import { until } from '../support/processes.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { enrol } from '../support/worker.ts';

const TASKS = 100;
const WORKERS = 30;
const CHANGES = 40;
/** The number of reads of tasks, and of workers, after each change. */
const READS = 25;

/** Picks items with a Zipf distribution: the n-th item 1/n as often as the first. */
const zipf = <T>(items: readonly T[], random: Random) => {
  const weights = items.map((_, at) => 1 / (at + 1));
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  return (): T => {
    let left = random() * whole;
    const at = weights.findIndex((weight) => (left -= weight) < 0);
    return items.at(at) as T;
  };
};

const open = async () => {
  const { redis } = breakableRedis();
  const { backend } = await backendWithQueues({ redis });
  const { admin } = backend;
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => enrol(backend)));
  const taskIds: string[] = [];
  for (let n = 0; n < TASKS; n++) taskIds.push((await admin.ok.submitTask({ body: { goal: `${n}` } })).task_id);
  await until('the outbox to drain', async () => (await backend.ctx.sql`select from outbox`).length === 0);
  for (const worker of workers) await worker.heartbeat();
  const cache = async () => {
    await backend.send({ method: 'GET', path: '/api/v1/health/detailed' }); // the counters are sent with the next command
    const { body } = await backend.send({ method: 'GET', path: '/api/v1/health/detailed' });
    return (body as { redis: { cache: Record<'task' | 'worker', { hits: number; misses: number }> } }).redis.cache;
  };
  return { backend, admin, redis, cache, taskIds, workerIds: workers.map((worker) => worker.worker_id) };
};

describe('reads with a realistic distribution', () => {
  it('are served by Redis: each change of a task causes at most one read from the database', async () => {
    const { admin, redis, cache, taskIds, workerIds } = await open();
    const random = seededRandom();
    const [someTask, someWorker] = [zipf(taskIds, random), zipf(workerIds, random)];
    const before = await cache();

    for (let change = 0; change < CHANGES; change++) {
      const params = { task_id: someTask() };
      const { version } = await admin.ok.getTask({ params });
      const changed = await admin.ok.updateTask({ params, body: { version, priority: change % 10 } });
      expect((await admin.ok.getTask({ params })).version).toBe(changed.version);
      await until(
        'the change to be announced',
        async () => Number(await redis.hget(keys.task(params.task_id), 'version')) >= changed.version,
      );
      for (let read = 0; read < READS; read++) {
        await admin.ok.getTask({ params: { task_id: someTask() } });
        await admin.ok.getWorker({ params: { worker_id: someWorker() } });
      }
    }

    const { task, worker } = await cache();
    const hits = { task: task.hits - before.task.hits, worker: worker.hits - before.worker.hits };
    const reads = { task: CHANGES * (READS + 2), worker: CHANGES * READS };
    const rates = { task: hits.task / reads.task, worker: hits.worker / reads.worker };
    console.info(`read from Redis: ${(100 * rates.task).toFixed(1)} % of tasks, ${(100 * rates.worker).toFixed(1)} % of workers`);
    expect(task.misses - before.task.misses).toBeLessThanOrEqual(CHANGES);
    expect(hits.task + task.misses - before.task.misses).toBe(reads.task);
    expect(rates.task).toBeGreaterThanOrEqual(0.9);
    expect(hits.worker).toBe(reads.worker);
  });
});
