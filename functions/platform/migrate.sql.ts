import type { Sql } from '../domain/ports/sql.ts';

/** Locked in each transaction: of two concurrent migrations, the second waits and finds nothing to do. */
const LOCK = 5_206_117;

export const prepare = async (sql: Sql) => {
  await sql`select pg_advisory_xact_lock(${LOCK})`;
  await sql`
    create table if not exists schema_migrations (
      name text primary key, sha256 text not null, applied_at timestamptz not null default clock_timestamp()
    )`;
};

export const appliedNames = async (sql: Sql): Promise<string[]> => {
  const rows = await sql<{ name: string }[]>`select name from schema_migrations order by name`;
  return rows.map((row) => row.name);
};

/** Null for a script that was not applied yet. */
export const appliedHash = async (sql: Sql, name: string): Promise<string | null> => {
  const [row] = await sql<{ sha256: string }[]>`select sha256 from schema_migrations where name = ${name}`;
  return row?.sha256 ?? null;
};

export const recordApplied = (sql: Sql, name: string, hash: string) => sql`
  insert into schema_migrations (name, sha256) values (${name}, ${hash})
  on conflict (name) do update set sha256 = excluded.sha256, applied_at = clock_timestamp()`;

/** For the rest of the transaction: functions may call others that do not exist yet. */
export const skipBodyChecks = (sql: Sql) => sql`set local check_function_bodies = off`;

export const analyze = (sql: Sql) => sql`analyze`;
