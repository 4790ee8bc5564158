import { type MessageOf, OVERDUE_DELAYS_SECONDS, QUEUE_OF } from '../../schema/message.ts';
import type { Context } from '../domain/context.ts';
import { announceExpired } from '../domain/live/announce-workers.ts';
import type { Activity } from '../domain/ports/hints.ts';
import { isDone } from '../domain/live/live.sql.ts';
import { reconcileAgain } from '../domain/live/reconcile.ts';
import { type Load, readLoad } from '../domain/workers/load.ts';
import { sweep } from './sweep.ts';

/** Longer than any transaction: a change that was announced longer ago is committed, or never will be. */
const SETTLED_MS = 30_000;
const PRESENCE_SWEEP_SECONDS = 5;

/** Whether nothing new has arrived since all work was found to be done: then Postgres is not queried, and may sleep. */
const isIdle = (activity: Activity | null): boolean =>
  activity?.generation !== null && activity?.generation !== undefined && activity.idle === activity.generation;

/** Records that no work is left, unless a new change may still be uncommitted. */
const rest = async ({ sql, hints }: Context, activity: Activity | null) => {
  if (activity === null) return;
  if (activity.generation === null) await hints.bump();
  else if (activity.age_ms > SETTLED_MS && (await isDone(sql))) await hints.markIdle(activity.generation);
};

const NO_LOAD: Load = { ready: 0, running: 0, slots: 0 };

/** Logs the load, by which a fleet of workers is scaled; in an idle system, Postgres is not queried. */
const logLoad = async (ctx: Context, isIdle: boolean) => {
  const load = isIdle ? NO_LOAD : await readLoad(ctx);
  ctx.log('info', 'load', { ...load, per_slot: (load.ready + load.running) / Math.max(1, load.slots) });
};

/** For a scheduler that runs at most once a minute: while there is work, delayed messages trigger overdue work between its runs. */
export const tickEachMinute = async (ctx: Context) => {
  const report = await tick(ctx);
  await logLoad(ctx, report === null);
  const message: MessageOf<'overdue'> = { topic: 'overdue' };
  const body = JSON.stringify(message);
  if (report !== null)
    await ctx.queues?.send(
      QUEUE_OF.overdue,
      OVERDUE_DELAYS_SECONDS.map((delaySeconds) => ({ id: String(delaySeconds), body, delaySeconds })),
    );
  return report;
};

/** The clock of the platform: does everything that is due by time. Safe to run at any frequency and concurrently. */
export const tick = async (ctx: Context) => {
  if (await ctx.hints.isFirst('presence', PRESENCE_SWEEP_SECONDS)) await announceExpired(ctx);
  const activity = await ctx.hints.activity();
  if (isIdle(activity)) return null;
  const report = await sweep(ctx);
  await reconcileAgain(ctx);
  await rest(ctx, activity);
  return report;
};
