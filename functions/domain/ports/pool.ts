import type { Sql } from './sql.ts';

/**
 * What statements are for; each lane has a share of the connections. `inside` is what no request waits for (tick, consumers) and
 * health; `workers` are requests of workers, `callers` other requests that write, and `reads` requests that only read: these share
 * connections.
 */
export type Lane = 'inside' | 'workers' | 'callers' | 'reads';
export type Pool = Sql & {
  /** The same connections, for what a request does; once `signal` aborts it gets none any more. */
  of(requestId: string | null, options?: { lane?: Lane; signal?: AbortSignal | undefined }): Pool;
  /** Runs work in one transaction over one connection: committed when it succeeds, rolled back when it throws. */
  begin<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** How many statements were sent since the start; a transaction sends two of its own. */
  counted(): number;
  /** Waits for what is under way, at most 5 s, and closes all connections. */
  end(): Promise<void>;
};
