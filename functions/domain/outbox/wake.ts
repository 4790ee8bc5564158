import { type MessageOf, QUEUE_OF, WAKE_DELAY_SECONDS } from '../../../schema/message.ts';
import type { Hints } from '../ports/hints.ts';
import type { Queues } from '../ports/queues.ts';

type Waking = { hints: Pick<Hints, 'isConfigured' | 'bump'>; queues: Queues | null };

const last = new WeakMap<Queues, number>();

/**
 * To be called when Redis did not take that there is something to do: it might believe for ever that there is nothing. A message says it
 * again later, and again while Redis is away; one in ten seconds is enough, whatever was missed.
 */
const wakeLater = async ({ hints, queues }: Waking): Promise<void> => {
  if (!hints.isConfigured || queues === null) return;
  const now = performance.now();
  if (now - (last.get(queues) ?? -Infinity) < (WAKE_DELAY_SECONDS * 1_000) / 2) return;
  last.set(queues, now);
  const message: MessageOf<'wake'> = { topic: 'wake' };
  await queues.send(QUEUE_OF.wake, [{ id: 'wake', body: JSON.stringify(message), delaySeconds: WAKE_DELAY_SECONDS }]).catch(() => {});
};

/** Sees to it that what Redis answered with false is made up for. */
export const orWakeLater = async (ctx: Waking, told: Promise<boolean>): Promise<void> => {
  if (!(await told)) await wakeLater(ctx);
};

/** Keeps the clock awake for what a transaction will leave to do; to be called before it begins, so that nothing is missed if the process ends. */
export const wakeClock = (ctx: Waking): Promise<void> => orWakeLater(ctx, ctx.hints.bump());
