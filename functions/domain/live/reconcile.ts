import type { Context } from '../context.ts';
import { busyOrganizations, readQueues } from './live.sql.ts';

const MOST = 1_000;

/** Makes the ready queues in Redis equal to those in Postgres: after a flush, a failure or a lost message. */
export const reconcile = async (ctx: Pick<Context, 'sql' | 'hints'>): Promise<number> => {
  const organizations = await busyOrganizations(ctx.sql, MOST);
  for (const [done, id] of organizations.entries()) if (!(await ctx.hints.reconcile(id, () => readQueues(ctx.sql, id)))) return done;
  return organizations.length;
};

const PAUSE_SECONDS = 20;

/** Reconciles unless another process did so within the last PAUSE_SECONDS. */
export const reconcileAgain = async (ctx: Pick<Context, 'sql' | 'hints'>): Promise<void> => {
  if (ctx.hints.isConfigured && (await ctx.hints.isFirst('reconcile', PAUSE_SECONDS))) await reconcile(ctx);
};
