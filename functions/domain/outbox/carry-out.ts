import type { Context } from '../context.ts';
import { broadcast } from '../live/broadcast.ts';
import { dispatch } from '../live/dispatch.ts';
import { endOverdue, mayReap } from '../maintenance/maintenance.ts';
import { noteWorkers } from '../live/note-workers.ts';
import { reconcileAgain } from '../live/reconcile.ts';
import type { Left, Topic } from './outbox.sql.ts';
import { orWakeLater } from './wake.ts';

type Of<T extends Topic> = Extract<Left, { topic: T }>;
const of = <T extends Topic>(rows: readonly Left[], topic: T) => rows.filter((row): row is Of<T> => row.topic === topic);

/** Does what follows from rows of the outbox. Done twice, or in another order, it does no harm. */
export const carryOut = async (ctx: Context, rows: readonly Left[]): Promise<void> => {
  const overdue = of(rows, 'overdue').length > 0;
  if (overdue) await endOverdue(ctx, await mayReap(ctx));
  if (of(rows, 'wake').length > 0) await orWakeLater(ctx, ctx.hints.bump());
  for (const row of of(rows, 'blob.remove')) await ctx.blobs.remove(row.payload.key);
  const ready = of(rows, 'ready');
  if (ready.length > 0) await dispatch(ctx, ready);
  const workers = of(rows, 'worker');
  if (workers.length > 0) await noteWorkers(ctx, workers);
  const events = of(rows, 'events');
  if (events.length > 0) await broadcast(ctx, events);
  if (overdue) await reconcileAgain(ctx);
};
