import type { ServerFrame } from '../../../schema/live.ts';
import type { Context } from '../context.ts';
import type { WorkerUpdate } from '../ports/hints.ts';
import { readModes } from './live.sql.ts';
import { push } from './push.ts';

type Announcing = Pick<Context, 'hints' | 'sockets' | 'push' | 'log'>;

export const workerFrame = ({ worker_id, mode, status }: WorkerUpdate): Extract<ServerFrame, { type: 'worker' }> => ({
  type: 'worker',
  topic: 'workers',
  worker: { worker_id, mode, status },
});

/** Sends the current state of workers to the Redis channel and to the sockets that follow the workers. */
const announceWorkers = async (ctx: Announcing, updates: readonly WorkerUpdate[]): Promise<void> => {
  await ctx.hints.publishWorkers(updates);
  for (const [organizationId, those] of Map.groupBy(updates, (update) => update.organization_id))
    await push(ctx, organizationId, those.map(workerFrame));
};

/**
 * Announces workers whose presence in Redis has ended as offline, then forgets them. After a crash in between they are announced again.
 * A worker that came back in between is announced with its current status, so that the last announcement is correct.
 */
export const announceExpired = async (ctx: Announcing & Pick<Context, 'sql'>): Promise<void> => {
  const expired = await ctx.hints.findExpired();
  if (expired.length === 0) return;
  const modes = await readModes(
    ctx.sql,
    expired.map(({ worker_id }) => worker_id),
  );
  const updates = (workers: readonly Omit<WorkerUpdate, 'mode'>[]) =>
    workers.flatMap((worker) => {
      const mode = modes.get(worker.worker_id);
      return mode === undefined ? [] : [{ ...worker, mode }]; // a removed worker was announced when it was removed
    });
  await announceWorkers(ctx, updates(expired.map((worker) => ({ ...worker, status: 'offline' }))));
  await announceWorkers(ctx, updates(await ctx.hints.forgetExpired(expired)));
};
