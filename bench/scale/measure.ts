import type { Env } from '../../schema/env.ts';
import type { Run } from './metered.ts';
import { JOBS, type Operation, OPERATIONS, SEARCHES } from './operations.ts';
import { type Actors, clear, openStage, type Stage } from './stage.ts';

/** `error` is why an operation failed, such as a statement timeout. */
export type Measured = { operation: string; statement: string; ms: number; blocks: number; error?: string };
/** By statement; the statements of searches by search. */
export type Results = Map<string, Measured>;

/** PostgreSQL plans the first five runs of a prepared statement before it may keep a generic plan. */
const WARM_UP = 6;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

type Named = { name: string; operation: Operation; isSearch: boolean };
const all = (operations: Record<string, Operation | null>, isSearch: boolean): Named[] =>
  Object.entries(operations).flatMap(([name, operation]) => (operation === null ? [] : [{ name, operation, isSearch }]));
const EVERYTHING = [...all(OPERATIONS, false), ...all(JOBS, false), ...all(SEARCHES, true)];

/** The last `rounds` runs of an operation's statements. */
const runsOf = async (at: Stage, operation: Operation, rounds: number, runs: Run[]): Promise<Map<string, Run[]>> => {
  for (let round = 0; round < WARM_UP + rounds; round++) {
    await clear(at);
    const work = await operation(at);
    if (round <= WARM_UP) runs.length = 0;
    await work();
  }
  return Map.groupBy(runs, ({ name, text }) => `${name}\n${text}`);
};

/**
 * Runs every operation of the backend, and returns the medians of each statement. A statement that several operations send is listed
 * with the first of them.
 */
export const measureAll = async (env: Env, actors: Actors, rounds: number): Promise<Results> => {
  const runs: Run[] = [];
  const at = openStage(env, actors, (run) => runs.push(run));
  const results: Results = new Map();
  try {
    for (const { name, operation, isSearch } of EVERYTHING) {
      try {
        for (const [key, those] of await runsOf(at, operation, rounds, runs)) {
          const id = isSearch ? `${name}\n${key}` : key;
          const [statement = ''] = key.split('\n');
          const [ms, blocks] = [median(those.map((run) => run.ms)), median(those.map((run) => run.blocks))];
          if (!results.has(id)) results.set(id, { operation: isSearch ? `search: ${name}` : name, statement, ms, blocks });
        }
      } catch (error) {
        results.set(name, { operation: name, statement: 'failed', ms: Number.NaN, blocks: Number.NaN, error: String(error) });
      }
    }
  } finally {
    await at.plain.close();
  }
  return results;
};
