import type { Env } from '../../schema/env.ts';
import { type Announcing, announce } from './outbox/outbox.ts';
import { type OutboxRow, writtenOutbox } from './outbox/outbox.sql.ts';
import type { RecordedWorker } from './ports/hints.ts';
import type { Pool } from './ports/pool.ts';
import type { Sql, Tx } from './ports/sql.ts';
import type { WorkerIdentity } from './principal.ts';
import { repeating, transact } from './transact.ts';

/**
 * What work inside a transaction may use. It has no Redis, queue or blob store, because a transaction that waits for the network holds
 * its locks meanwhile.
 */
export type Unit = {
  readonly tx: Tx;
  readonly env: Env;
  /** Redis records this worker right after the commit. */
  recordWorker(worker: RecordedWorker): void;
  /** Redis forgets this worker right after the commit. */
  forgetWorker(worker: WorkerIdentity): void;
};

type Committing = Announcing & { sql: Pool };

/** Runs work in one transaction, commits it, and then announces what it changed. */
export const commit = async <T>(ctx: Committing & { env: Env }, work: (unit: Unit) => Promise<T>): Promise<T> => {
  const { answer, ...announcement } = await transact(ctx.sql, async (tx) => {
    const workers: RecordedWorker[] = [];
    const removed: WorkerIdentity[] = [];
    const unit: Unit = {
      tx,
      env: ctx.env,
      recordWorker: (worker) => void workers.push(worker),
      forgetWorker: (worker) => void removed.push(worker),
    };
    const answer = await work(unit);
    return { answer, outbox: await writtenOutbox(tx), workers, removed };
  });
  await announce(ctx, announcement);
  return answer;
};

/** The same for a transaction that is one statement, which returns the outbox rows that it wrote: one round trip. */
export const commitStatement = async <T extends { outbox: readonly OutboxRow[] }>(
  ctx: Committing,
  send: (sql: Sql) => Promise<T>,
): Promise<T> => {
  const answer = await repeating(() => send(ctx.sql));
  await announce(ctx, answer);
  return answer;
};
