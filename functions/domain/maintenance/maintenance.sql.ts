import type { OutboxRow } from '../outbox/outbox.sql.ts';
import type { Sql } from '../ports/sql.ts';

/** The most rows that one statement changes, so that its locks are short. */
export const BATCH = 500;

export type Ended = { count: number; outbox: OutboxRow[] };

/** Records a sweep; returns whether it may end overdue attempts, which it may not right after an outage of the platform. */
export const recordSweep = async (sql: Sql, outageMs: number, graceMs: number): Promise<boolean> => {
  const [row] = await sql<[{ may: boolean }]>`select record_sweep(${outageMs}, ${graceMs}) as may`;
  return row.may;
};

export const reapAttempts = async (sql: Sql): Promise<Ended> => {
  const [row] = await sql<[Ended]>`select reap_attempts(${BATCH}) as count, written_outbox() as outbox`;
  return row;
};

export const expireTasks = async (sql: Sql): Promise<Ended> => {
  const [row] = await sql<[Ended]>`select expire_tasks(${BATCH}) as count, written_outbox() as outbox`;
  return row;
};

// The start of the statement is a constant, so the index can be used; clock_timestamp() changes from row to row.

export const purgeIdempotencyKeys = async (sql: Sql): Promise<number> =>
  (
    await sql`
    delete from idempotency_keys
    where ctid = any (array(
      select ctid from idempotency_keys where created_at < statement_timestamp() - interval '24 hours' order by created_at limit ${BATCH}
    ))`
  ).count;

export const purgeLogs = async (sql: Sql, days: number): Promise<number> =>
  (
    await sql`
    delete from attempt_logs
    where ctid = any (array(
      select ctid from attempt_logs where created_at < statement_timestamp() - make_interval(days => ${days}) order by created_at limit ${BATCH}
    ))`
  ).count;
