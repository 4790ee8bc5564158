import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../../schema/client/backoff.ts';
import type { Pool, Sql } from './sql.ts';

const TRIES = 4;
/** Those that met must not meet again: the shortest wait is a third of the longest. */
const BACKOFF = { baseMs: 10, maxMs: 40, jitter: [0.5, 1.5] } as const;
const REPEATABLE = new Set(['40001', '40P01']);

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** Repeats what the database gave up for a deadlock or a serialization failure: three times, with jitter. */
export const repeating = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= TRIES || !REPEATABLE.has(codeOf(error))) throw error;
      await pause(backoffMs(attempt, BACKOFF));
    }
  }
};

export const isPool = (sql: Sql): sql is Pool => 'begin' in sql;

/** Runs `work` in one transaction: its own, or the one that is open already. */
export const transact = <T>(sql: Sql, work: (sql: Sql) => Promise<T>): Promise<T> =>
  isPool(sql) ? repeating(() => sql.begin((transaction) => work(transaction))) : work(sql);
