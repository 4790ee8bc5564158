import type { Attempt, InputValue } from '../../../schema/attempt.ts';
import type { LogChunk, LogChunkSpec } from '../../../schema/log.ts';
import type { SubtaskStatus, TaskStatus } from '../../../schema/states.ts';
import type { Subtask } from '../../../schema/task.ts';
import type { WorkerIdentity } from '../principal.ts';
import type { Left } from '../outbox/outbox.sql.ts';
import { type Counted, cut } from '../page.ts';
import { json, noteRequest, type Sql, type Statement } from '../ports/sql.ts';

const columns = (sql: Sql) => sql`
  subtask_id, task_id, key, kind, goal, tool, input, labels, dependencies, status, blocked_by, run_after, attempt, attempts, infra_attempts,
  retry, timeout_seconds, idle_timeout_seconds, first_event_timeout_seconds, verify, result_schema, worker_id, result, result_artifact_id, error, position, created_at, started_at, ended_at`;

export const listSubtasks = (
  sql: Sql,
  organizationId: string,
  taskId: string,
  { status, after, limit }: { status: SubtaskStatus | undefined; after: number; limit: number },
): Statement<Counted<Subtask>[]> =>
  cut<Subtask>(
    sql,
    sql`
      select ${columns(sql)}, result_bytes + octet_length(goal) + octet_length(input::text) + octet_length(verify::text)
        + coalesce(octet_length(result_schema::text), 0) as bytes
      from subtasks
      where task_id = ${taskId} and organization_id = ${organizationId} and position > ${after}
        ${status === undefined ? sql`` : sql`and status = ${status}`}
      order by position
      limit ${limit}`,
    sql`position`,
  );

export const findSubtask = async (sql: Sql, organizationId: string, subtaskId: string): Promise<Subtask | null> => {
  const [subtask] = await sql<Subtask[]>`
    select ${columns(sql)} from subtasks where subtask_id = ${subtaskId} and organization_id = ${organizationId}`;
  return subtask ?? null;
};

export const listAttempts = (sql: Sql, subtaskId: string): Promise<Attempt[]> => sql<Attempt[]>`
  select attempt, run, worker_id, status, failure_class, error, progress, usage, lease_expires_at, claimed_at, started_at, ended_at
  from attempts
  where subtask_id = ${subtaskId}
  order by attempt desc
  limit 100`;

export type Fenced = { subtask_id: string; lease_token: string; attempt: number };
type Refused = { error: string };
type Answered<T> = { answer: T; left: Left[] };
export type EndedAnswer = { status: SubtaskStatus; task_status: TaskStatus };

export const startSubtask = async (
  sql: Sql,
  worker: WorkerIdentity,
  it: Fenced,
): Promise<Answered<Refused | { status: SubtaskStatus }>> => {
  const [row] = await sql<[Answered<Refused | { status: SubtaskStatus }>]>`
    select ${noteRequest(sql)}, start_subtask(${worker.organization_id}, ${worker.worker_id}, ${it.subtask_id}, ${it.lease_token}, ${it.attempt}) as answer,
      left_in_outbox() as left`;
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
    select ${noteRequest(sql)}, fail_subtask(${worker.organization_id}, ${worker.worker_id}, ${it.subtask_id}, ${it.lease_token}, ${it.attempt},
      ${it.outcome}, ${it.failure_class}, ${it.message}, ${usage}, ${it.hash}) as answer, left_in_outbox() as left`;
  return row;
};

/** What the fence says of a write to an attempt; locks the subtask, so that it stays true to the end of the transaction. */
export const judgeFence = async (sql: Sql, worker: WorkerIdentity, it: Fenced): Promise<string | null> => {
  await sql`select from subtasks where subtask_id = ${it.subtask_id} for share`;
  const [row] = await sql<[{ code: string | null }]>`
    select judge_fence(${worker.organization_id}, ${worker.worker_id}, ${it.subtask_id}, ${it.lease_token}, ${it.attempt}, null, null) as code`;
  return row.code;
};

/** Stores chunks that are not stored yet; answers the number below which none is missing. */
export const appendLogs = async (sql: Sql, worker: WorkerIdentity, it: Fenced, chunks: readonly LogChunkSpec[]): Promise<number> => {
  await sql`
    insert into attempt_logs (organization_id, subtask_id, attempt, chunk, stream, content)
    select ${worker.organization_id}, ${it.subtask_id}, ${it.attempt}, chunk, stream, content
    from jsonb_to_recordset(${json(chunks)}) as c(chunk int, stream text, content text)
    order by chunk
    on conflict do nothing`;
  const [row] = await sql<[{ next_chunk: number }]>`
    select count(*) filter (where chunk = place)::int as next_chunk
    from (
      select chunk, row_number() over (order by chunk) - 1 as place
      from attempt_logs
      where subtask_id = ${it.subtask_id} and attempt = ${it.attempt}
    ) stored`;
  return row.next_chunk;
};

export const listLogs = (sql: Sql, subtaskId: string, attempt: number, afterChunk: number, limit: number) =>
  cut<LogChunk>(
    sql,
    sql`
      select attempt, chunk, stream, content, created_at, octet_length(content) as bytes
      from attempt_logs
      where subtask_id = ${subtaskId} and attempt = ${attempt} and chunk > ${afterChunk}
      order by chunk
      limit ${limit}`,
    sql`chunk`,
  );

export const attemptEnded = async (sql: Sql, subtaskId: string, attempt: number): Promise<boolean> => {
  const [row] = await sql<{ ended: boolean }[]>`
    select ended_at is not null as ended from attempts where subtask_id = ${subtaskId} and attempt = ${attempt}`;
  return row?.ended ?? true;
};

export type ParentOutput = Omit<InputValue, 'included'>;

/** Why a worker may not read what a subtask got; null when it holds the subtask just now. */
export const judgeHolder = async (sql: Sql, worker: WorkerIdentity, subtaskId: string): Promise<string | null> => {
  const [row] = await sql<[{ code: string | null }]>`
    select case
      when w.worker_id is null then 'worker_revoked'
      when s.subtask_id is null then 'subtask_not_found'
      when s.worker_id is distinct from w.worker_id or s.lease_token is null then 'lease_lost'
    end as code
    from (values (1)) as always
    left join workers w on w.worker_id = ${worker.worker_id} and w.organization_id = ${worker.organization_id} and w.deleted_at is null
    left join subtasks s on s.subtask_id = ${subtaskId} and s.organization_id = ${worker.organization_id}`;
  return row.code;
};

export const findParent = async (sql: Sql, subtaskId: string, key: string): Promise<ParentOutput | null> => {
  const [parent] = await sql<ParentOutput[]>`
    select p.subtask_id, p.status, p.result, p.result_artifact_id
    from subtask_edges e
    join subtasks p on p.subtask_id = e.parent_id
    where e.child_id = ${subtaskId} and p.key = ${key}`;
  return parent ?? null;
};
