/** Rows of an answer; `count` is the number of rows that the statement returned or changed. */
export type Rows<T extends readonly unknown[]> = T & { count: number };
// biome-ignore lint/suspicious/noExplicitAny: the type of the rows is given at each statement
type AnyRows = readonly any[];

/** A statement or a part of one: sent when it is awaited, or inserted into another statement. */
export type Statement<T extends AnyRows = AnyRows> = Promise<Rows<T>>;

/**
 * Creates statements from tagged templates: each value becomes a parameter, each statement a part. Times arrive as ISO text with
 * microseconds, 64-bit integers as numbers, jsonb parsed; `null` is null, `undefined` is refused.
 */
export type Sql = {
  <T extends AnyRows = AnyRows>(strings: TemplateStringsArray, ...values: readonly unknown[]): Statement<T>;
  /** SQL as text, which may be several statements; returns the rows of the last. */
  unsafe<T extends AnyRows = AnyRows>(text: string): Statement<T>;
  /** The id of the request that sends these statements, which their events record; null for work on a schedule. */
  readonly request_id: string | null;
  /** Aborts when nobody waits for the request any more. */
  readonly signal?: AbortSignal | undefined;
};

declare const TRANSACTION: unique symbol;
/** Statements of one open transaction. Only `Pool.begin` creates one, so a function that takes it runs inside a transaction. */
export type Tx = Sql & { readonly [TRANSACTION]: true };

/** Sets the request id for one statement: the first item of its select list. A transaction sets it when it starts. */
export const setRequest = (sql: Sql) => sql`set_config('maw.request_id', ${sql.request_id ?? ''}, true)`;

/** A value as a parameter of type jsonb. */
export const json = (value: unknown): string => JSON.stringify(value);
