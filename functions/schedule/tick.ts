import type { Context } from '../domain/context.ts';
import type { Activity } from '../domain/hints.ts';
import { isDone } from '../domain/live/live.sql.ts';
import { reconcileAgain } from '../domain/live/reconcile.ts';
import { type Load, readLoad } from '../domain/workers/load.ts';
import { sweep } from './sweep.ts';

/** Longer than any transaction: what was announced before this long is committed, or never will be. */
const SETTLED_MS = 30_000;
const PRESENCE_SWEEP_SECONDS = 5;

/** Whether nothing has come since everything was found done: then Postgres is not asked, and may sleep. */
const isIdle = (activity: Activity | null): boolean =>
  activity?.generation !== null && activity?.generation !== undefined && activity.idle === activity.generation;

/** Remembers that nothing is left to do, unless something new may be on its way into Postgres. */
const rest = async ({ sql, hints }: Context, activity: Activity | null) => {
  if (activity === null) return;
  if (activity.generation === null) await hints.bump();
  else if (activity.age_ms > SETTLED_MS && (await isDone(sql))) await hints.markIdle(activity.generation);
};

const NO_LOAD: Load = { ready: 0, running: 0, slots: 0 };

/** A line that a fleet of workers grows and shrinks by; of an idle system nothing is asked. */
const tellLoad = async (ctx: Context, isIdle: boolean) => {
  const load = isIdle ? NO_LOAD : await readLoad(ctx);
  ctx.log('info', 'load', { ...load, per_slot: (load.ready + load.running) / Math.max(1, load.slots) });
};

const STEPS_S = [10, 20, 30, 40, 50];

/** For a clock that comes no more often than each minute: while there is something to do, it is woken in between to do what is overdue. */
export const tickEachMinute = async (ctx: Context) => {
  const report = await tick(ctx);
  await tellLoad(ctx, report === null);
  const body = JSON.stringify({ topic: 'overdue' });
  if (report !== null)
    await ctx.queues?.send(
      'subtasks',
      STEPS_S.map((delaySeconds) => ({ id: String(delaySeconds), body, delaySeconds })),
    );
  return report;
};

/** The clock of the platform: all that must happen by time. Run as often as you like, by as many as you like. */
export const tick = async (ctx: Context) => {
  if (await ctx.hints.isFirst('presence', PRESENCE_SWEEP_SECONDS)) await ctx.hints.sweepPresence();
  const activity = await ctx.hints.activity();
  if (isIdle(activity)) return null;
  const report = await sweep(ctx);
  await reconcileAgain(ctx);
  await rest(ctx, activity);
  return report;
};
