import type { Context } from '../domain/context.ts';
import { endOverdue, mayReap, purge } from '../domain/maintenance/maintenance.ts';
import { relay } from '../domain/outbox/relay.ts';

/** Does everything that is due by time. Safe to run at any frequency and concurrently. */
export const sweep = async (ctx: Context) => {
  const report = { ...(await endOverdue(ctx, await mayReap(ctx))), ...(await relay(ctx)), purged: await purge(ctx) };
  if (report.reaped + report.expired + report.postponed > 0) ctx.log('info', 'sweep', report);
  return report;
};
