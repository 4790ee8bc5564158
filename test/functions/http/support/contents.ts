import { createHash } from 'node:crypto';
import type { Sql } from '../../../../functions/domain/ports/sql.ts';

const tablesOf = async (sql: Sql): Promise<string[]> => {
  const rows = await sql<{ name: string }[]>`select tablename as name from pg_tables where schemaname = 'public' order by 1`;
  return rows.map((row) => row.name);
};

/** Every row of every table as text, with its table. */
export const rowsOf = async (sql: Sql): Promise<{ table: string; row: string }[]> => {
  const tables = await tablesOf(sql);
  const all = await Promise.all(
    tables.map(async (table) => {
      const rows = await sql.unsafe<{ row: string }[]>(`select t::text as row from ${table} t order by 1`);
      return rows.map(({ row }) => ({ table, row }));
    }),
  );
  return all.flat();
};

/** The number of rows of each table and a hash of their contents: equal if nothing was stored, changed or removed. */
export const fingerprint = async (sql: Sql): Promise<Record<string, string>> => {
  const groups = Map.groupBy(await rowsOf(sql), ({ table }) => table);
  return Object.fromEntries(
    [...groups].map(([table, rows]) => {
      const hash = createHash('sha256');
      for (const { row } of rows) hash.update(`${row}\n`);
      return [table, `${rows.length} rows ${hash.digest('hex')}`];
    }),
  );
};

/** The number of rows of every table. */
export const countRows = async (sql: Sql): Promise<Record<string, number>> => {
  const tables = await tablesOf(sql);
  const counts = await Promise.all(
    tables.map(async (table) => {
      const [row] = await sql.unsafe<[{ count: number }]>(`select count(*)::int as count from ${table}`);
      return [table, row.count] as const;
    }),
  );
  return Object.fromEntries(counts);
};
