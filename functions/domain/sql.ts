import type { ISql, JSONValue, Sql as PostgresSql, TransactionSql } from 'postgres';

/** How values of the database arrive: times as ISO text with microseconds, 64-bit integers as numbers. */
type Types = { bigint: number; time: string };
export type Pool = PostgresSql<Types>;
export type Sql = Pool | TransactionSql<Types>;
export type Fragment = ReturnType<Pool>;

/** A value as a parameter of type jsonb. */
export const json = (sql: ISql<Types>, value: unknown) => sql.json(value as JSONValue);
