import type { Sql } from '../../functions/domain/ports/sql.ts';

/** OIDs of a database's own tables and indexes start here; those of system catalogs are lower. */
const FIRST_OBJECT = 16_384;

type Use = { blocks: number; scans: number; rows: number };

/** The accesses to each table and index: of this connection up to now, of others up to their last report. */
const usesOf = async (sql: Sql): Promise<Record<string, Use>> => {
  const rows = await sql<({ name: string } & Use)[]>`
    select relname as name, (pg_stat_get_blocks_fetched(oid) + pg_stat_get_xact_blocks_fetched(oid))::int as blocks,
      (pg_stat_get_numscans(oid) + pg_stat_get_xact_numscans(oid))::int as scans,
      (pg_stat_get_tuples_returned(oid) + pg_stat_get_xact_tuples_returned(oid))::int as rows
    from pg_class
    where oid >= ${FIRST_OBJECT}::int and relkind in ('r', 'i', 't')`;
  return Object.fromEntries(rows.map(({ name, ...use }) => [name, use]));
};

/** All block accesses, whether cached or not. */
export const fetchedBlocks = async (sql: Sql): Promise<number> =>
  Object.values(await usesOf(sql)).reduce((sum, { blocks }) => sum + blocks, 0);

export type Counted<T> = { answer: T; blocks: number; scans: Record<string, number>; rows: Record<string, number> };

/**
 * How many blocks `work` accesses, including its functions and triggers; a block accessed twice counts twice. `scans` is how often
 * each table was scanned sequentially and each index was used, `rows` the number of rows or entries that these returned. `sql` is a
 * transaction, or a pool of one connection to a database that nobody else uses; `work` must use it.
 */
export const countBlocks = async <T>(sql: Sql, work: () => Promise<T>): Promise<Counted<T>> => {
  const before = await usesOf(sql);
  const answer = await work();
  const after = await usesOf(sql);
  const since = (kind: keyof Use) =>
    Object.fromEntries(Object.entries(after).map(([name, use]) => [name, use[kind] - (before[name]?.[kind] ?? 0)]));
  return {
    answer,
    blocks: Object.values(since('blocks')).reduce((sum, count) => sum + count, 0),
    scans: since('scans'),
    rows: since('rows'),
  };
};
