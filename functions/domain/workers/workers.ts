import { AppError } from '../../../schema/errors.ts';
import type { WorkerStatus } from '../../../schema/states.ts';
import type { Worker } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { Caller, WorkerIdentity } from '../principal.ts';
import { refusal } from '../refusal.ts';
import type { Unit } from '../unit-of-work.ts';
import * as rows from './workers.sql.ts';

type Who = Pick<Caller, 'organization_id'>;

const missing = () => new AppError('worker_not_found', 'No worker has this id');

const find = async ({ sql, hints }: Pick<Context, 'sql' | 'hints'>, organizationId: string, workerId: string) =>
  (await hints.readWorker(organizationId, workerId)) ?? rows.findWorker(sql, organizationId, workerId);

/** Throws worker_revoked when a worker was removed; its credential is still valid by itself. */
export const checkEnrolled = async (ctx: Pick<Context, 'sql' | 'hints'>, { organization_id, worker_id }: WorkerIdentity) => {
  if ((await find(ctx, organization_id, worker_id)) === null) throw refusal('worker_revoked');
};

export const get = async (ctx: Pick<Context, 'sql' | 'hints'>, who: Who, workerId: string) => {
  const worker = await find(ctx, who.organization_id, workerId);
  if (worker === null) throw missing();
  return worker;
};

/** Heartbeats of workers that hold nothing reach Redis only, so the status in Postgres may be out of date. */
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

/** Changes a worker if its version is still `version`; otherwise throws version_conflict. */
export const update = async (unit: Unit, who: Who, workerId: string, version: number, change: rows.WorkerChanges) => {
  const { organization_id } = who;
  const worker = await rows.updateWorker(unit.tx, organization_id, workerId, version, change);
  if (worker === null) {
    const current = await rows.findWorker(unit.tx, organization_id, workerId);
    if (current === null) throw missing();
    throw new AppError(
      'version_conflict',
      `The worker has version ${current.version}, not ${version}; read it again and repeat the request`,
    );
  }
  await rows.writeWorkerMessage(unit.tx, organization_id, workerId);
  unit.recordWorker({ ...worker, organization_id, deleted: false });
  return worker;
};

export const remove = async (unit: Unit, who: Who, workerId: string) => {
  const { organization_id } = who;
  if (!(await rows.removeWorker(unit.tx, organization_id, workerId))) throw missing();
  await rows.writeWorkerMessage(unit.tx, organization_id, workerId);
  unit.forgetWorker({ organization_id, worker_id: workerId });
  return { worker_id: workerId, deleted: true as const };
};
