import type { Sql, Statement } from './ports/sql.ts';

/** Lambda lets 6 MB through, with what stands around the rows. */
export const PAGE_BYTES = 4_000_000;

/** A row of a list that is cut where it gets too long: `bytes_so_far` counts it and those before it. */
export type Counted<T> = T & { bytes_so_far: number };

/** Cuts a list, whose rows say with `bytes` how long they are, behind the row with which it gets too long; `order` as in the list itself. */
export const cut = <T>(sql: Sql, list: Statement, order: Statement): Statement<Counted<T>[]> => sql<Counted<T>[]>`
  select *
  from (
    select *, sum(bytes) over (order by ${order} rows unbounded preceding)::bigint as bytes_so_far from (${list}) listed
  ) counted
  where bytes_so_far - bytes < ${PAGE_BYTES}
  order by ${order}`;
