import type { Message, MessageOf, Topic } from '../../../schema/message.ts';
import type { Context } from '../context.ts';
import { broadcast } from '../live/broadcast.ts';
import { dispatch } from '../live/dispatch.ts';
import { endOverdue, mayReap } from '../maintenance/maintenance.ts';
import { recordWorkers } from '../live/record-workers.ts';
import { reconcileAgain } from '../live/reconcile.ts';
import { orWakeLater } from './wake.ts';

const of = <T extends Topic>(messages: readonly Message[], topic: T) =>
  messages.filter((message): message is MessageOf<T> => message.topic === topic);

/** Carries out messages. It is safe to carry out a message twice, or messages in another order. */
export const carryOut = async (ctx: Context, messages: readonly Message[]): Promise<void> => {
  const overdue = of(messages, 'overdue').length > 0;
  if (overdue) await endOverdue(ctx, await mayReap(ctx));
  if (of(messages, 'wake').length > 0) await orWakeLater(ctx, ctx.hints.bump());
  for (const { payload } of of(messages, 'blob.remove')) await ctx.blobs.remove(payload.key);
  const ready = of(messages, 'ready');
  if (ready.length > 0) await dispatch(ctx, ready);
  const workers = of(messages, 'worker');
  if (workers.length > 0) await recordWorkers(ctx, workers);
  const events = of(messages, 'events');
  if (events.length > 0) await broadcast(ctx, events);
  if (overdue) await reconcileAgain(ctx);
};
