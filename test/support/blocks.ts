import type { Sql } from '../../functions/domain/sql.ts';

/** The first number of what a database's own objects are called by; catalogs are below it. */
const FIRST_OBJECT = 16_384;

const scansOf = async (sql: Sql): Promise<Record<string, { blocks: number; scans: number }>> => {
  const rows = await sql<{ name: string; blocks: number; scans: number }[]>`
    select relname as name, pg_stat_get_xact_blocks_fetched(oid)::int as blocks, pg_stat_get_xact_numscans(oid)::int as scans
    from pg_class
    where oid >= ${FIRST_OBJECT}::int and pg_stat_get_xact_blocks_fetched(oid) > 0`;
  return Object.fromEntries(rows.map(({ name, ...counts }) => [name, counts]));
};

/** Blocks of tables, indexes and their overflow that a connection has asked for, in memory or not. */
export const fetchedBlocks = async (sql: Sql): Promise<number> => {
  const [row] = await sql<[{ blocks: number }]>`
    select coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::int as blocks from pg_class where oid >= ${FIRST_OBJECT}::int`;
  return row.blocks;
};

/** Hands the counts of a connection over to its server, so that they begin at 0; else the server takes them each second. */
export const restartCounts = (sql: Sql) => sql`select pg_stat_force_next_flush()`;

export type Counted<T> = { answer: T; blocks: number; scans: Record<string, number> };

/**
 * How many blocks `work` asks for, with all that its functions and triggers do; a block that is looked at twice counts twice. `scans` says
 * how often each table was read from end to end and each index was used. `sql` is a pool of one connection, which `work` uses; it
 * must end within a second.
 */
export const countBlocks = async <T>(sql: Sql, work: () => Promise<T>): Promise<Counted<T>> => {
  await restartCounts(sql);
  const before = await scansOf(sql);
  const answer = await work();
  const after = await scansOf(sql);
  const since = (kind: 'blocks' | 'scans') =>
    Object.fromEntries(Object.entries(after).map(([name, counts]) => [name, counts[kind] - (before[name]?.[kind] ?? 0)]));
  return { answer, blocks: Object.values(since('blocks')).reduce((sum, count) => sum + count, 0), scans: since('scans') };
};
