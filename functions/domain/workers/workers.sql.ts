import type { WorkerMode, WorkerStatus } from '../../../schema/states.ts';
import { PRESENCE_SECONDS, type Worker } from '../../../schema/worker.ts';
import { json, type Sql, type Tx } from '../ports/sql.ts';

export const workerStatus = (sql: Sql) => sql`
  case when last_seen_at < clock_timestamp() - make_interval(secs => ${PRESENCE_SECONDS}) then 'offline' else status end`;

export const workerColumns = (sql: Sql) => sql`
  worker_id, name, machine_name, mode, tools, labels, slots, owner_ids, agent_version, version, last_seen_at, registered_at,
  ${workerStatus(sql)} as status,
  (select count(*)::int from attempts a where a.worker_id = workers.worker_id and a.ended_at is null) as running`;

export const findWorker = async (sql: Sql, organizationId: string, workerId: string): Promise<Worker | null> => {
  const [worker] = await sql<Worker[]>`
    select ${workerColumns(sql)} from workers where worker_id = ${workerId} and organization_id = ${organizationId} and deleted_at is null`;
  return worker ?? null;
};

export const listWorkers = (
  sql: Sql,
  organizationId: string,
  { status, after, limit }: { status?: WorkerStatus | undefined; after: { time: string; id: string } | null; limit: number },
): Promise<Worker[]> => sql<Worker[]>`
  select *
  from (select ${workerColumns(sql)} from workers where organization_id = ${organizationId} and deleted_at is null) as workers
  where true
    ${status === undefined ? sql`` : sql`and status = ${status}`}
    ${after === null ? sql`` : sql`and (registered_at, worker_id) < (${after.time}::timestamptz, ${after.id})`}
  order by registered_at desc, worker_id desc
  limit ${limit}`;

export type WorkerChanges = {
  name?: string | undefined;
  labels?: Record<string, string> | undefined;
  slots?: number | undefined;
  mode?: WorkerMode | undefined;
};

/** Null when there is no such worker, or when its version is not `version` any more. */
export const updateWorker = async (
  sql: Tx,
  organizationId: string,
  workerId: string,
  version: number,
  change: WorkerChanges,
): Promise<Worker | null> => {
  const [worker] = await sql<Worker[]>`
    update workers
    set name = coalesce(${change.name ?? null}, name),
      labels = coalesce(${change.labels === undefined ? null : json(change.labels)}, labels),
      slots = coalesce(${change.slots ?? null}, slots),
      mode = coalesce(${change.mode ?? null}, mode),
      version = version + 1
    where worker_id = ${workerId} and organization_id = ${organizationId} and deleted_at is null and version = ${version}
    returning ${workerColumns(sql)}`;
  return worker ?? null;
};

export const removeWorker = async (sql: Tx, organizationId: string, workerId: string): Promise<boolean> => {
  const [row] = await sql<[{ removed: boolean }]>`select remove_worker(${organizationId}, ${workerId}) as removed`;
  return row.removed;
};

/** Reports that a worker was added, changed or removed. */
export const writeWorkerMessage = (sql: Tx, organizationId: string, workerId: string) => sql`
  select write_outbox(${organizationId}, 'worker', jsonb_build_object('worker_id', ${workerId}::uuid))`;
