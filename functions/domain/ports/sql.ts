/** Rows of an answer; `count` says how many a statement touched. */
export type Rows<T extends readonly unknown[]> = T & { count: number };
// biome-ignore lint/suspicious/noExplicitAny: what a statement answers is said where it stands
type AnyRows = readonly any[];

/** A statement or a part of one: sent when it is awaited, put into another statement as it stands. */
export type Statement<T extends AnyRows = AnyRows> = Promise<Rows<T>>;

/**
 * Makes statements from tagged templates: each value becomes a parameter, each statement a part. Times arrive as ISO text with
 * microseconds, 64-bit integers as numbers, jsonb parsed; `null` is null, `undefined` is refused.
 */
export type Sql = {
  <T extends AnyRows = AnyRows>(strings: TemplateStringsArray, ...values: readonly unknown[]): Statement<T>;
  /** SQL as text, several statements at once where there are no values; answers the rows of the last. */
  unsafe<T extends AnyRows = AnyRows>(text: string): Statement<T>;
  /** The request that statements are sent for, which the events that they write name; null for what happens by the clock. */
  readonly request_id: string | null;
  /** Aborts when nobody waits for the request any more. */
  readonly signal?: AbortSignal | undefined;
};

declare const TRANSACTION: unique symbol;
/** Statements of one open transaction. Only `Pool.begin` makes one, so a function that takes it runs inside of a transaction. */
export type Tx = Sql & { readonly [TRANSACTION]: true };

/** Stands before what it is for in the list of a statement of its own; a transaction notes its request as it begins. */
export const setRequest = (sql: Sql) => sql`set_config('maw.request_id', ${sql.request_id ?? ''}, true)`;

/** A value as a parameter of type jsonb. */
export const json = (value: unknown): string => JSON.stringify(value);
