import type { Env } from '../../schema/env.ts';
import type { Callers } from './api-keys/callers.ts';
import type { Advance } from './attempts/advance.ts';
import type { BlobStore } from './ports/blobs.ts';
import type { Hints } from './ports/hints.ts';
import type { Log } from './ports/log.ts';
import type { Pool } from './ports/pool.ts';
import type { Push } from './ports/push.ts';
import type { Queues } from './ports/queues.ts';
import type { Sockets } from './ports/sockets.ts';
import type { Vault } from './ports/vault.ts';
import type { WorkerTokens } from './ports/worker-tokens.ts';
import type { SharedReads } from './shared-reads.ts';
import type { Submit } from './tasks/submissions.ts';

export type Context = {
  sql: Pool;
  blobs: BlobStore;
  /** Null where there is no queue: the relay carries out the messages. */
  queues: Queues | null;
  hints: Hints;
  sockets: Sockets;
  /** Null where no gateway holds sockets: clients poll. */
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
  /** Whether an error means that the database is temporarily unavailable. */
  isUnavailable(error: unknown): boolean;
};
