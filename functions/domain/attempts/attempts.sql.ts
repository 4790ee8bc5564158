import type { Attempt, Claimed } from '../../../schema/attempt.ts';
import type { SubtaskStatus, TaskStatus } from '../../../schema/states.ts';
import type { ClaimSpec, EmptyReason, HeartbeatAnswer, HeartbeatSpec } from '../../../schema/worker.ts';
import type { OutboxRow } from '../outbox/outbox.sql.ts';
import { json, setRequest, type Sql, type Tx } from '../ports/sql.ts';
import type { WorkerIdentity } from '../principal.ts';

export type Fenced = { subtask_id: string; lease_token: string; attempt: number };
type Refused = { error: string };
type Answered<T> = { answer: T; outbox: OutboxRow[] };
export type EndedAnswer = { status: SubtaskStatus; task_status: TaskStatus };

/** Checks a write to an attempt by its fence; null when it is current. Locks the subtask, so this stays true in the transaction. */
export const checkFence = async (sql: Tx, worker: WorkerIdentity, it: Fenced): Promise<string | null> => {
  await sql`select from subtasks where subtask_id = ${it.subtask_id} for share`;
  const [row] = await sql<[{ code: string | null }]>`
    select check_fence(${worker.organization_id}, ${worker.worker_id}, ${it.subtask_id}, ${it.lease_token}, ${it.attempt}, null, null) as code`;
  return row.code;
};

export type Claim = { claimed: Claimed[]; empty_reason: EmptyReason | null };
/** A claim with the ids that Redis proposes for it; null: Postgres searches the whole queue. */
export type NextClaim = Pick<ClaimSpec, 'claim_request_id' | 'limit' | 'start'> & { window: readonly string[] | null };
type Step = { ctx: { sql: Sql }; worker: WorkerIdentity; completions: readonly Completion[]; claim: NextClaim | null };
type Advanced = { answer: { results: CompletionAnswer[]; claims: (Refused | Claim | null)[] | null }; outbox: OutboxRow[] };

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
    ) as answer, written_outbox() as outbox`;
  return row;
};

export const startSubtask = async (
  sql: Sql,
  worker: WorkerIdentity,
  it: Fenced,
): Promise<Answered<Refused | { status: SubtaskStatus }>> => {
  const [row] = await sql<[Answered<Refused | { status: SubtaskStatus }>]>`
    select ${setRequest(sql)}, start_subtask(${worker.organization_id}, ${worker.worker_id}, ${it.subtask_id}, ${it.lease_token}, ${it.attempt}) as answer,
      written_outbox() as outbox`;
  return row;
};

export type Completion = Fenced & {
  result: unknown;
  result_bytes: number;
  result_artifact_id: string | null;
  usage: unknown;
  hash: string;
};
export type CompletionAnswer = { subtask_id: string } & (Refused | EndedAnswer);

export type Ending = Fenced & { outcome: 'failed' | 'released'; failure_class: string; message: string; usage: unknown; hash: string };

export const failSubtask = async (sql: Sql, worker: WorkerIdentity, it: Ending): Promise<Answered<Refused | EndedAnswer>> => {
  const usage = it.usage === null ? null : json(it.usage);
  const [row] = await sql<[Answered<Refused | EndedAnswer>]>`
    select ${setRequest(sql)}, fail_subtask(${worker.organization_id}, ${worker.worker_id}, ${it.subtask_id}, ${it.lease_token}, ${it.attempt},
      ${it.outcome}, ${it.failure_class}, ${it.message}, ${usage}, ${it.hash}) as answer, written_outbox() as outbox`;
  return row;
};

export type BeatAnswer = Pick<HeartbeatAnswer, 'mode' | 'leases'>;

export const heartbeat = async (sql: Sql, worker: WorkerIdentity, spec: HeartbeatSpec, leaseMs: number): Promise<Refused | BeatAnswer> => {
  const info = spec.info === undefined ? null : json(spec.info);
  const [row] = await sql<[{ answer: Refused | BeatAnswer }]>`
    select heartbeat(${worker.organization_id}, ${worker.worker_id}, ${json(spec.leases)}, ${info}, ${leaseMs}) as answer`;
  return row.answer;
};

export const listAttempts = (sql: Sql, subtaskId: string): Promise<Attempt[]> => sql<Attempt[]>`
  select attempt, run, worker_id, status, failure_class, error, progress, usage, lease_expires_at, claimed_at, started_at, ended_at
  from attempts
  where subtask_id = ${subtaskId}
  order by attempt desc
  limit 100`;

export const attemptEnded = async (sql: Sql, subtaskId: string, attempt: number): Promise<boolean> => {
  const [row] = await sql<{ ended: boolean }[]>`
    select ended_at is not null as ended from attempts where subtask_id = ${subtaskId} and attempt = ${attempt}`;
  return row?.ended ?? true;
};
