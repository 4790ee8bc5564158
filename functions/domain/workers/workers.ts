import { AppError } from '../../../schema/errors.ts';
import type { WorkerStatus } from '../../../schema/states.ts';
import type { Worker } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import { commit } from '../outbox/outbox.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { Sql } from '../ports/sql.ts';
import type { Caller, WorkerIdentity } from '../principal.ts';
import { refusal } from '../refusal.ts';
import * as rows from './workers.sql.ts';

type Who = Pick<Caller, 'organization_id'>;
type Announcing = Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>;

const missing = () => new AppError('worker_not_found', 'There is no worker with this id');

const find = async ({ sql, hints }: Pick<Context, 'sql' | 'hints'>, organizationId: string, workerId: string) =>
  (await hints.readWorker(organizationId, workerId)) ?? rows.findWorker(sql, organizationId, workerId);

/** Throws worker_revoked when a worker was removed, whose credential is good for itself. */
export const checkEnrolled = async (ctx: Pick<Context, 'sql' | 'hints'>, { organization_id, worker_id }: WorkerIdentity) => {
  if ((await find(ctx, organization_id, worker_id)) === null) throw refusal('worker_revoked');
};

export const get = async (ctx: Pick<Context, 'sql' | 'hints'>, who: Who, workerId: string) => {
  const worker = await find(ctx, who.organization_id, workerId);
  if (worker === null) throw missing();
  return worker;
};

/** Who holds nothing beats to Redis only: Postgres has not heard of it for long. */
export const withPresence = async <T extends Pick<Worker, 'worker_id' | 'status'>>(
  { hints }: Pick<Context, 'hints'>,
  workers: readonly T[],
): Promise<T[]> => {
  const statuses = await hints.presence(workers.map((worker) => worker.worker_id));
  return workers.map((worker, at) => ({ ...worker, status: statuses[at] ?? worker.status }));
};

export const list = async (
  ctx: Pick<Context, 'reads' | 'hints'>,
  who: Who,
  { status, cursor, limit }: { status?: WorkerStatus | undefined; cursor?: string | undefined; limit: number },
) => {
  const asked = { status, after: timeCursor(cursor), limit: limit + 1 };
  const found = await ctx.reads(['workers', who.organization_id, asked], (sql) => rows.listWorkers(sql, who.organization_id, asked));
  return pageOf(await withPresence(ctx, found), limit, (last) => [last.registered_at, last.worker_id]);
};

/** Changes a worker if it is still at `version`; else version_conflict. */
export const update = async (ctx: Announcing, who: Who, workerId: string, version: number, change: rows.WorkerChanges) => {
  const worker = await commit(ctx, async (sql) => {
    const changed = await rows.updateWorker(sql, who.organization_id, workerId, version, change);
    if (changed !== null) await rows.leaveWorker(sql, who.organization_id, workerId);
    return changed;
  });
  if (worker !== null) await ctx.hints.noteWorker({ ...worker, organization_id: who.organization_id, deleted: false });
  if (worker !== null) return worker;
  const now = await get(ctx, who, workerId);
  throw new AppError('version_conflict', `The worker is at version ${now.version}, not ${version}; read it again and repeat`);
};

export const remove = async (ctx: Announcing, who: Who, workerId: string) => {
  const worker = { organization_id: who.organization_id, worker_id: workerId };
  const remove = async (sql: Sql) => {
    if (!(await rows.removeWorker(sql, who.organization_id, workerId))) throw missing();
    await rows.leaveWorker(sql, who.organization_id, workerId);
  };
  await commit(ctx, remove, (changed) => ctx.hints.forgetWorker(worker, changed));
  return { worker_id: workerId, deleted: true as const };
};
