import type { Context } from '../context.ts';
import { readWork } from './load.sql.ts';
import { withPresence } from './workers.ts';

/** The number of ready and of claimed or running subtasks, and the number of slots of the workers that are online. */
export type Load = { ready: number; running: number; slots: number };

export const readLoad = async (ctx: Pick<Context, 'sql' | 'hints'>): Promise<Load> => {
  const { workers, ...work } = await readWork(ctx.sql);
  const present = (await withPresence(ctx, workers)).filter(({ status }) => status !== 'offline');
  return { ...work, slots: present.reduce((sum, { slots }) => sum + slots, 0) };
};
