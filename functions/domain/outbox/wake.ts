import { type MessageOf, QUEUE_OF, WAKE_DELAY_SECONDS } from '../../../schema/message.ts';
import type { Hints } from '../ports/hints.ts';
import type { Queues } from '../ports/queues.ts';

type Waking = { hints: Pick<Hints, 'isConfigured' | 'bump'>; queues: Queues | null };

const last = new WeakMap<Queues, number>();

/**
 * Call this when Redis could not record new work: otherwise it could report an idle system forever. A message
 * repeats the record later, and again while Redis is unavailable. One message in ten seconds is enough, however many records failed.
 */
const wakeLater = async ({ hints, queues }: Waking): Promise<void> => {
  if (!hints.isConfigured || queues === null) return;
  const now = performance.now();
  if (now - (last.get(queues) ?? -Infinity) < (WAKE_DELAY_SECONDS * 1_000) / 2) return;
  last.set(queues, now);
  const message: MessageOf<'wake'> = { topic: 'wake' };
  await queues.send(QUEUE_OF.wake, [{ id: 'wake', body: JSON.stringify(message), delaySeconds: WAKE_DELAY_SECONDS }]).catch(() => {});
};

/** Awaits an update of Redis, and schedules a wake message when it failed. */
export const orWakeLater = async (ctx: Waking, updated: Promise<boolean>): Promise<void> => {
  if (!(await updated)) await wakeLater(ctx);
};

/** Keeps the clock awake for the work that a transaction creates. Call it before the transaction, in case the process ends. */
export const wakeClock = (ctx: Waking): Promise<void> => orWakeLater(ctx, ctx.hints.bump());
