import type { Pool } from './ports/pool.ts';
import type { Sql } from './ports/sql.ts';

const TRIES = 4;
const REPEATABLE = new Set(['40001', '40P01']);

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Repeats what the database gave up for a deadlock or a serialization failure: three times, with jitter. */
export const repeating = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= TRIES || !REPEATABLE.has(codeOf(error))) throw error;
      await pause(2 ** attempt * 5 * (0.5 + Math.random()));
    }
  }
};

export const isPool = (sql: Sql): sql is Pool => 'begin' in sql;

/** Runs `work` in one transaction: its own, or the one that is open already. */
export const transact = <T>(sql: Sql, work: (sql: Sql) => Promise<T>): Promise<T> =>
  isPool(sql) ? repeating(() => sql.begin((transaction) => work(transaction))) : work(sql);
