import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../../schema/client/backoff.ts';
import type { Pool } from './ports/pool.ts';
import type { Tx } from './ports/sql.ts';

const TRIES = 4;
/** Transactions that collided must not collide again: the shortest wait is a third of the longest. */
const BACKOFF = { baseMs: 10, maxMs: 40, jitter: [0.5, 1.5] } as const;
const REPEATABLE = new Set(['40001', '40P01']);

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** Repeats work that the database ended for a deadlock or a serialization failure: up to three times, with jitter. */
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

/** Runs work in one transaction, for work that writes nothing to the outbox, or announces it by itself; `commit` also announces. */
export const transact = <T>(sql: Pool, work: (tx: Tx) => Promise<T>): Promise<T> => repeating(() => sql.begin(work));
