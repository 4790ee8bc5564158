import type { Sql, Statement } from './ports/sql.ts';

/** Lambda allows a response of 6 MB, including what surrounds the rows. */
export const PAGE_BYTES = 4_000_000;

/** A row of a list that is cut where it gets too long: `bytes_so_far` is the size of it and the rows before it. */
export type Counted<T> = T & { bytes_so_far: number };

/** Cuts a list, whose rows have their size in `bytes`, after the row that makes it too long; `order` is that of the list. */
export const cut = <T>(sql: Sql, list: Statement, order: Statement): Statement<Counted<T>[]> => sql<Counted<T>[]>`
  select *
  from (
    select *, sum(bytes) over (order by ${order} rows unbounded preceding)::bigint as bytes_so_far from (${list}) listed
  ) counted
  where bytes_so_far - bytes < ${PAGE_BYTES}
  order by ${order}`;
