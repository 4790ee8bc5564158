import type { Context } from '../context.ts';
import { readWork } from './load.sql.ts';
import { withPresence } from './workers.ts';

/** What there is to do, done or waiting for a worker, and how much the workers that are there can do at once. */
export type Load = { ready: number; running: number; slots: number };

export const readLoad = async (ctx: Pick<Context, 'sql' | 'hints'>): Promise<Load> => {
  const { workers, ...work } = await readWork(ctx.sql);
  const there = (await withPresence(ctx, workers)).filter(({ status }) => status !== 'offline');
  return { ...work, slots: there.reduce((sum, { slots }) => sum + slots, 0) };
};
