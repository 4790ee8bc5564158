import type { Context } from '../context.ts';
import type { Sql } from '../sql.ts';
import { repeating, transact } from '../transact.ts';
import * as rows from './maintenance.sql.ts';

export const endOverdue = async (ctx: Pick<Context, 'sql'>) => ({
  reaped: await repeating(() => rows.reapAttempts(ctx.sql)),
  expired: await repeating(() => rows.expireTasks(ctx.sql)),
});

const MOST_BATCHES = 40;

/** Repeats a bounded delete until a batch is not full; what is left after 20,000 rows goes with the next sweep. */
const inBatches = async (remove: () => Promise<number>): Promise<number> => {
  let removed = 0;
  for (let batch = 0; batch < MOST_BATCHES && removed === batch * rows.BATCH; batch++) removed += await remove();
  return removed;
};

export const purge = async (ctx: Pick<Context, 'sql' | 'env'>) => ({
  idempotency_keys: await inBatches(() => rows.purgeIdempotencyKeys(ctx.sql)),
  logs: await inBatches(() => rows.purgeLogs(ctx.sql, ctx.env.LOG_RETENTION_DAYS)),
});

const carryOut = async (ctx: Pick<Context, 'blobs'>, sql: Sql, row: rows.OutboxRow): Promise<boolean> => {
  try {
    if (row.topic !== 'blob.remove' || row.payload.key === undefined) throw new Error(`nothing handles the topic ${row.topic}`);
    await ctx.blobs.remove(row.payload.key);
    return true;
  } catch (error) {
    await rows.postponeOutbox(sql, row.outbox_id, error instanceof Error ? error.message : String(error));
    return false;
  }
};

const RELAY_BATCH = 100;

/** Carries out what transactions left for outside of Postgres; what fails is put off and tried again. */
export const relayOutbox = (ctx: Pick<Context, 'sql' | 'blobs'>): Promise<{ relayed: number; postponed: number }> =>
  transact(ctx.sql, async (sql) => {
    const due = await rows.dueOutbox(sql, RELAY_BATCH);
    const done: number[] = [];
    for (const row of due) if (await carryOut(ctx, sql, row)) done.push(row.outbox_id);
    if (done.length > 0) await rows.deleteOutbox(sql, done);
    return { relayed: done.length, postponed: due.length - done.length };
  });
