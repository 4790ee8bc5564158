import type { Claimed } from '../../../schema/attempt.ts';
import type { WorkerMode, WorkerStatus } from '../../../schema/states.ts';
import {
  type ClaimSpec,
  type EmptyReason,
  type EnrolmentSpec,
  type HeartbeatAnswer,
  type HeartbeatSpec,
  type Worker,
  type WorkerSpec,
  PRESENCE_SECONDS,
} from '../../../schema/worker.ts';
import type { WorkerIdentity } from '../context.ts';
import type { Left } from '../outbox/outbox.sql.ts';
import { json, type Sql } from '../sql.ts';
import type { Completion, CompletionAnswer } from '../subtasks/subtasks.sql.ts';

export const workerStatus = (sql: Sql) => sql`
  case when last_seen_at < clock_timestamp() - make_interval(secs => ${PRESENCE_SECONDS}) then 'offline' else status end`;

export const workerColumns = (sql: Sql) => sql`
  worker_id, name, machine_name, mode, tools, labels, slots, owner_ids, agent_version, version, last_seen_at, registered_at,
  ${workerStatus(sql)} as status,
  (select count(*)::int from attempts a where a.worker_id = workers.worker_id and a.ended_at is null) as running`;

export const insertEnrolmentToken = async (sql: Sql, organizationId: string, spec: EnrolmentSpec, hash: Buffer) => {
  const [row] = await sql<[{ enrolment_token_id: string; expires_at: string }]>`
    insert into enrolment_tokens (organization_id, token_hash, tools, labels, owner_ids, expires_at)
    values (${organizationId}, ${hash}, ${json(spec.tools)}, ${json(spec.labels)}, ${spec.owner_ids ?? null}::uuid[],
      clock_timestamp() + make_interval(secs => ${spec.expires_in_seconds}))
    returning enrolment_token_id, expires_at`;
  return row;
};

export type LockedToken = {
  enrolment_token_id: string;
  organization_id: string;
  tools: string[];
  labels: Record<string, string>;
  owner_ids: string[] | null;
  used: boolean;
  expired: boolean;
};

export const lockEnrolmentToken = async (sql: Sql, hash: Buffer): Promise<LockedToken | null> => {
  const [token] = await sql<LockedToken[]>`
    select enrolment_token_id, organization_id, tools, labels, owner_ids, used_at is not null as used, expires_at < clock_timestamp() as expired
    from enrolment_tokens
    where token_hash = ${hash}
    for no key update`;
  return token ?? null;
};

/** The worker that registered with a token under this registration id, if the answer to it was lost. */
export const findRegistration = async (sql: Sql, tokenId: string, registrationId: string): Promise<Worker | null> => {
  const [worker] = await sql<Worker[]>`
    select ${workerColumns(sql)}
    from workers
    where enrolment_token_id = ${tokenId} and registration_id = ${registrationId} and deleted_at is null`;
  return worker ?? null;
};

export const insertWorker = async (sql: Sql, token: LockedToken, spec: WorkerSpec): Promise<Worker> => {
  const [worker] = await sql<[Worker]>`
    with used as (
      update enrolment_tokens set used_at = clock_timestamp() where enrolment_token_id = ${token.enrolment_token_id}
    )
    insert into workers (organization_id, enrolment_token_id, registration_id, name, machine_name, tools, labels, slots, owner_ids, agent_version)
    values (${token.organization_id}, ${token.enrolment_token_id}, ${spec.registration_id ?? null}, ${spec.name}, ${spec.machine_name},
      ${json(spec.tools)}, ${json(token.labels)}, ${spec.slots}, ${token.owner_ids}::uuid[], ${spec.agent_version})
    returning ${workerColumns(sql)}`;
  return worker;
};

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

/** Null when there is no such worker, or when it is not at `version` any more. */
export const updateWorker = async (
  sql: Sql,
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

export const removeWorker = async (sql: Sql, organizationId: string, workerId: string): Promise<boolean> => {
  const [row] = await sql<[{ removed: boolean }]>`select remove_worker(${organizationId}, ${workerId}) as removed`;
  return row.removed;
};

type Refused = { error: string };
export type Claim = { claimed: Claimed[]; empty_reason: EmptyReason | null };
/** A claim with the ids that Redis proposes for it; null: Postgres looks at all that is ready. */
export type NextClaim = Pick<ClaimSpec, 'claim_request_id' | 'limit' | 'start'> & { window: readonly string[] | null };
type Step = { ctx: { sql: Sql }; worker: WorkerIdentity; completions: readonly Completion[]; claim: NextClaim | null };
type Advanced = { answer: { results: CompletionAnswer[]; claims: (Refused | Claim | null)[] | null }; left: Left[] };

/** Completes and claims for several workers of one organization, in one round trip; see complete_and_claim.sql. */
export const completeAndClaim = async (sql: Sql, steps: readonly Step[], leaseMs: number): Promise<Advanced> => {
  const claims = steps.map(({ claim }) => claim);
  const items = steps.flatMap(({ completions }, at) => completions.map((it) => ({ ...it, place: at + 1 })));
  const [row] = await sql<[Advanced]>`
    select complete_and_claim(
      ${steps[0]?.worker.organization_id}, ${leaseMs}, ${steps.map(({ worker }) => worker.worker_id)}::uuid[],
      ${steps.map(({ ctx }) => ctx.sql.request_id)}::text[], ${claims.map((it) => it?.claim_request_id ?? null)}::uuid[],
      ${claims.map((it) => it?.limit ?? 0)}::int[], ${claims.map((it) => it?.start ?? false)}::boolean[],
      ${json(claims.map((it) => it?.window ?? null))}, ${items.map((it) => it.place)}::int[], ${items.map((it) => it.subtask_id)}::uuid[],
      ${items.map((it) => it.lease_token)}::uuid[], ${items.map((it) => it.attempt)}::int[], ${items.map((it) => json(it.result))}::jsonb[],
      ${items.map((it) => it.result_bytes)}::int[], ${items.map((it) => it.result_artifact_id)}::uuid[],
      ${items.map((it) => (it.usage === null ? null : json(it.usage)))}::jsonb[], ${items.map((it) => it.hash)}::text[]
    ) as answer, left_in_outbox() as left`;
  return row;
};
export type Beat = Pick<HeartbeatAnswer, 'mode' | 'leases'>;

export const heartbeat = async (sql: Sql, worker: WorkerIdentity, spec: HeartbeatSpec, leaseMs: number): Promise<Refused | Beat> => {
  const info = spec.info === undefined ? null : json(spec.info);
  const [row] = await sql<[{ answer: Refused | Beat }]>`
    select heartbeat(${worker.organization_id}, ${worker.worker_id}, ${json(spec.leases)}, ${info}, ${leaseMs}) as answer`;
  return row.answer;
};

/** Leaves word that a worker came, changed or went. */
export const leaveWorker = (sql: Sql, organizationId: string, workerId: string) => sql`
  select leave_in_outbox(${organizationId}, 'worker', jsonb_build_object('worker_id', ${workerId}::uuid))`;
