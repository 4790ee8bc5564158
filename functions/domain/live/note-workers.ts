import type { MessageOf } from '../../../schema/message.ts';
import type { Context } from '../context.ts';
import { takeWorkers } from './live.sql.ts';
import { push } from './push.ts';

/** Tells Redis and those who follow the workers that some came, changed or went. */
export const noteWorkers = async (ctx: Context, rows: readonly MessageOf<'worker'>[]): Promise<void> => {
  const workers = await takeWorkers(
    ctx.sql,
    rows.map((row) => row.outbox_id),
    rows.map((row) => row.payload.worker_id),
  );
  for (const worker of workers) {
    await ctx.hints.noteWorker(worker);
    const { worker_id, mode, organization_id, deleted } = worker;
    const frame = { type: 'worker', topic: 'workers', worker: { worker_id, mode, status: deleted ? 'offline' : 'online' } } as const;
    // What was ready while nobody knew of it, or while it was paused, was rung for others.
    const bell = deleted || mode !== 'active' ? [] : [{ type: 'doorbell', topic: `worker:${worker_id}` } as const];
    await push(ctx, organization_id, [frame, ...bell]);
  }
};
