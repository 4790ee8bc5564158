import type { Context } from '../context.ts';
import type { Queues } from '../ports/queues.ts';

type Waking = Pick<Context, 'hints' | 'queues'>;

const DELAY_S = 10;
const last = new WeakMap<Queues, number>();

/**
 * To be called when Redis did not take that there is something to do: it might believe for ever that there is nothing. A message says it
 * again later, and again while Redis is away; one in ten seconds is enough, whatever was missed.
 */
const wakeLater = async ({ hints, queues }: Waking): Promise<void> => {
  if (!hints.isConfigured || queues === null) return;
  const now = performance.now();
  if (now - (last.get(queues) ?? -Infinity) < (DELAY_S * 1_000) / 2) return;
  last.set(queues, now);
  await queues.send('subtasks', [{ id: 'wake', body: JSON.stringify({ topic: 'wake' }), delaySeconds: DELAY_S }]).catch(() => {});
};

/** Sees to it that what Redis answered with false is made up for. */
export const orWakeLater = async (ctx: Waking, told: Promise<boolean>): Promise<void> => {
  if (!(await told)) await wakeLater(ctx);
};
