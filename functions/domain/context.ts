import type { Env } from '../../schema/env.ts';
import type { BlobStore } from './blobs.ts';
import type { Hints, Sockets } from './hints.ts';
import type { Push } from './live/push.ts';
import type { Log } from './log.ts';
import type { Caller } from './principal.ts';
import type { Queues } from './queues.ts';
import type { SharedReads } from './shared-reads.ts';
import type { Sql } from './sql.ts';
import type { Submit } from './tasks/submissions.ts';
import type { Advance } from './workers/advance.ts';

/** What signs and reads the credentials of workers. */
export type WorkerTokens = {
  sign(worker: WorkerIdentity): Promise<string>;
  /** Null when the token is not one of ours, was changed or has expired. */
  verify(token: string): Promise<(WorkerIdentity & { nears_end: boolean }) | null>;
};
export type WorkerIdentity = { worker_id: string; organization_id: string };

/** Encrypts what must be stored but not be readable in the database. */
export type Vault = { seal(text: string): string; open(sealed: string): string };

/** Who calls with a key, by the SHA-256 of the key in hex; null when it is unknown or revoked. */
export type Callers = { find(keyHash: string): Promise<Caller | null> };

export type Context = {
  sql: Sql;
  blobs: BlobStore;
  /** Null where there is no queue: the relay does what a queue would bring. */
  queues: Queues | null;
  hints: Hints;
  sockets: Sockets;
  /** Null where no gateway holds sockets: clients ask. */
  push: Push | null;
  /** Stores checked tasks, several at once. */
  submit: Submit;
  /** Completes and claims for workers, several at once. */
  advance: Advance;
  tokens: WorkerTokens;
  callers: Callers;
  reads: SharedReads;
  vault: Vault;
  env: Env;
  log: Log;
  /** Whether an error means that the database can't answer now, and may later. */
  isAway(error: unknown): boolean;
};
