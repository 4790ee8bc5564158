import type { MessageOf } from '../../../schema/message.ts';
import type { Context } from '../context.ts';
import { workerFrame } from './announce-workers.ts';
import { takeWorkers } from './live.sql.ts';
import { push } from './push.ts';

/** Sends workers that were added, changed or removed to Redis and to those who follow the workers. */
export const recordWorkers = async (ctx: Context, rows: readonly MessageOf<'worker'>[]): Promise<void> => {
  const workers = await takeWorkers(
    ctx.sql,
    rows.map((row) => row.outbox_id),
    rows.map((row) => row.payload.worker_id),
  );
  // Heartbeats of workers that hold nothing reach Redis only, so Postgres may not know that a worker is online, or free again.
  const statuses = await ctx.hints.presence(workers.map(({ worker_id }) => worker_id));
  for (const [at, worker] of workers.entries()) {
    await ctx.hints.recordWorker(worker);
    const { worker_id, mode, organization_id, deleted } = worker;
    const update = { worker_id, organization_id, mode, status: deleted ? 'offline' : (statuses[at] ?? worker.status) } as const;
    await ctx.hints.publishWorkers([update]);
    // Subtasks that became ready while this worker was unknown or paused were announced to other workers only.
    const bell = update.status === 'online' && mode === 'active' ? [{ type: 'doorbell', topic: `worker:${worker_id}` } as const] : [];
    await push(ctx, organization_id, [workerFrame(update), ...bell]);
  }
};
