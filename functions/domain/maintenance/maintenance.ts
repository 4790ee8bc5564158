import type { Context } from '../context.ts';
import { repeating } from '../transact.ts';
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
