import type { Context } from '../context.ts';
import type { Sql } from '../ports/sql.ts';
import { repeating } from '../transact.ts';
import { commitStatement } from '../unit-of-work.ts';
import * as rows from './maintenance.sql.ts';

type Overdue = Pick<Context, 'sql' | 'queues' | 'log' | 'hints'>;

const ended = async (ctx: Overdue, end: (sql: Sql) => Promise<rows.Ended>): Promise<number> => (await commitStatement(ctx, end)).count;

/** After an outage workers have the time of one lease to send a heartbeat before attempts are ended. */
export const mayReap = (ctx: Pick<Context, 'sql' | 'env'>): Promise<boolean> =>
  repeating(() => rows.recordSweep(ctx.sql, ctx.env.OUTAGE_MS, ctx.env.LEASE_MS));

export const endOverdue = async (ctx: Overdue, reaps = true) => ({
  reaped: reaps ? await ended(ctx, rows.reapAttempts) : 0,
  expired: await ended(ctx, rows.expireTasks),
});

const MOST_BATCHES = 40;

/** Repeats a bounded delete until a batch is not full; after 20,000 rows the rest waits for the next sweep. */
const inBatches = async (remove: () => Promise<number>): Promise<number> => {
  let removed = 0;
  for (let batch = 0; batch < MOST_BATCHES && removed === batch * rows.BATCH; batch++) removed += await remove();
  return removed;
};

export const purge = async (ctx: Pick<Context, 'sql' | 'env'>) => ({
  idempotency_keys: await inBatches(() => rows.purgeIdempotencyKeys(ctx.sql)),
  logs: await inBatches(() => rows.purgeLogs(ctx.sql, ctx.env.LOG_RETENTION_DAYS)),
});
