import { expect } from 'vitest';
import { openPool } from '../../functions/platform/pool.ts';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import type { Backend } from './backend.ts';

const PATIENT = { timeout: 15_000 };

/** Resolves when exactly `count` statements of the database wait for a lock. */
export const untilBlocked = (sql: Sql, count: number) =>
  expect
    .poll(async () => {
      const rows = await sql`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      return rows.length;
    }, PATIENT)
    .toBe(count);

/**
 * Closes the backend's connections and returns the number of deadlocks in its database. Responses do not show them, because
 * the backend retries a transaction that a deadlock aborted. A connection reports its counts when it closes.
 */
export const deadlocksOf = async (backend: Backend): Promise<number> => {
  await backend.ctx.close();
  const sql = openPool(backend.url);
  try {
    const others = async () =>
      (
        await sql`select from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`
      ).length;
    await expect.poll(others, PATIENT).toBe(0);
    const [row] = await sql<[{ deadlocks: number }]>`select deadlocks from pg_stat_database where datname = current_database()`;
    return row.deadlocks;
  } finally {
    await sql.end();
  }
};
