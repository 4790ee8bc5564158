import type { Sql } from '../ports/sql.ts';

/** The cheapest statement that the database answers. */
export const ask = (sql: Sql) => sql`select 1`;

/** Null in a database without migrations. */
export const latestMigration = async (sql: Sql): Promise<string | null> => {
  const [row] = await sql<{ name: string }[]>`select max(name) as name from schema_migrations where name like '%.sql'`;
  return row?.name ?? null;
};
