import type { Sql, Tx } from './sql.ts';

/**
 * The purpose of statements; each lane has a share of the connections. `inside` is for health and for work that no request waits for
 * (tick, consumers); `workers` for requests of workers, `callers` for other requests that write, and `reads` for requests that only
 * read, which share connections.
 */
export type Lane = 'inside' | 'workers' | 'callers' | 'reads';
export type Pool = Sql & {
  /** The same connections, for the statements of a request; after `signal` aborts it gets no more of them. */
  of(requestId: string | null, options?: { lane?: Lane; signal?: AbortSignal | undefined }): Pool;
  /** Runs work in one transaction over one connection: committed when it succeeds, rolled back when it throws. */
  begin<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The number of statements sent since the start; a transaction sends two of its own. */
  counted(): number;
  /** Waits for running statements, at most 5 s, and closes all connections. */
  end(): Promise<void>;
};
