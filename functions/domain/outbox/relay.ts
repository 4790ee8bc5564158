import type { Context } from '../context.ts';
import { carryOut } from './carry-out.ts';
import { sendOutbox } from './outbox.ts';
import { deleteOutbox, type OutboxRow, recordFailure, takeDue } from './outbox.sql.ts';

const BATCH = 100;
/** The remaining rows wait for the next sweep. */
const LONGEST_MS = 10_000;

/**
 * Sends outbox rows that nobody received: the process that wrote them was killed, or the queue was unavailable or lost them. Rows that
 * no queue accepts are carried out here, one by one.
 */
export const relay = async (ctx: Context): Promise<{ relayed: number; postponed: number }> => {
  const total = { relayed: 0, postponed: 0 };
  let last = 0;
  for (const end = performance.now() + LONGEST_MS; ; ) {
    const { due, relayed, postponed } = await relayBatch(ctx, last);
    total.relayed += relayed;
    total.postponed += postponed;
    last = due.at(-1)?.outbox_id ?? last;
    if (due.length < BATCH || performance.now() > end) return total;
  }
};

const relayBatch = async (ctx: Context, after: number) => {
  const due = await takeDue(ctx.sql, after, BATCH);
  const unsent = await sendOutbox(ctx, due);
  const done: number[] = [];
  for (const row of unsent) if (await isCarriedOut(ctx, row)) done.push(row.outbox_id);
  if (done.length > 0) await deleteOutbox(ctx.sql, done);
  return { due, relayed: due.length - unsent.length + done.length, postponed: unsent.length - done.length };
};

const isCarriedOut = async (ctx: Context, row: OutboxRow): Promise<boolean> => {
  try {
    await carryOut(ctx, [row]);
    return true;
  } catch (error) {
    if (ctx.isUnavailable(error)) throw error;
    await recordFailure(ctx.sql, row.outbox_id, error instanceof Error ? error.message : String(error));
    return false;
  }
};
