import type { Sql } from '../sql.ts';

/** What one statement takes at most, so that its locks are short. */
export const BATCH = 500;

export const reapAttempts = async (sql: Sql): Promise<number> => {
  const [row] = await sql<[{ count: number }]>`select reap_attempts(${BATCH}) as count`;
  return row.count;
};

export const expireTasks = async (sql: Sql): Promise<number> => {
  const [row] = await sql<[{ count: number }]>`select expire_tasks(${BATCH}) as count`;
  return row.count;
};

export const purgeIdempotencyKeys = async (sql: Sql): Promise<number> =>
  (
    await sql`
    delete from idempotency_keys
    where ctid = any (array(select ctid from idempotency_keys where created_at < clock_timestamp() - interval '24 hours' limit ${BATCH}))`
  ).count;

export const purgeLogs = async (sql: Sql, days: number): Promise<number> =>
  (
    await sql`
    delete from attempt_logs
    where ctid = any (array(
      select ctid from attempt_logs where created_at < clock_timestamp() - make_interval(days => ${days}) limit ${BATCH}
    ))`
  ).count;

export type OutboxRow = { outbox_id: number; topic: string; payload: Record<string, string> };

/** Locks what is due; two sweeps at once take different rows. */
export const dueOutbox = (sql: Sql, limit: number): Promise<OutboxRow[]> => sql<OutboxRow[]>`
  select outbox_id, topic, payload
  from outbox
  where available_at <= clock_timestamp()
  order by available_at, outbox_id
  limit ${limit}
  for update skip locked`;

export const deleteOutbox = (sql: Sql, ids: readonly number[]) => sql`delete from outbox where outbox_id = any (${ids})`;

/** Puts a row off: 1 s, doubled with each try, at most an hour. */
export const postponeOutbox = (sql: Sql, id: number, error: string) => sql`
  update outbox
  set tries = tries + 1, last_error = ${error},
    available_at = clock_timestamp() + make_interval(secs => least(3600, 2 ^ least(tries, 12)) * (0.5 + random() / 2))
  where outbox_id = ${id}`;
