import type { Env } from '../../schema/env.ts';
import { createContext } from '../../functions/platform/context.ts';
import { drive, sqlStep } from '../drive.ts';
import { median } from '../figures.ts';
import { createWorker, submitMany } from '../setup.ts';
import type { Actors } from './stage.ts';

const LOOPS = 8;
const TASKS = 40;
const WIDTH = 8;

/**
 * Subtasks per second with 8 loops, each completion claiming the next one. The databases take turns in each round; the first round
 * warms up.
 */
export const measureRates = async (databases: readonly { env: Env; actors: Actors }[], rounds: number): Promise<number[]> => {
  const measured = await Promise.all(
    databases.map(async ({ env, actors: { caller } }) => {
      const ctx = createContext(env);
      const workers = await Promise.all(Array.from({ length: LOOPS }, () => createWorker(ctx, caller)));
      return { ctx, caller, steps: workers.map(({ principal }) => sqlStep(ctx, principal)), rates: [] as number[] };
    }),
  );
  for (let round = 0; round <= rounds; round++) {
    for (const { ctx, caller, steps, rates } of measured) {
      await submitMany(ctx, caller, TASKS, WIDTH);
      const { rate } = await drive(steps, 1, TASKS * (WIDTH + 2));
      if (round > 0) rates.push(rate);
    }
  }
  for (const { ctx } of measured) await ctx.close();
  return measured.map(({ rates }) => median(rates));
};
