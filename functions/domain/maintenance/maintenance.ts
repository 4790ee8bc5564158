import type { Context } from '../context.ts';
import { commit } from '../outbox/outbox.ts';
import * as rows from './maintenance.sql.ts';

/** Ends attempts and tasks whose time is over, and tells of it at once. */
export const endOverdue = async (ctx: Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>) => ({
  reaped: await commit(ctx, rows.reapAttempts),
  expired: await commit(ctx, rows.expireTasks),
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
