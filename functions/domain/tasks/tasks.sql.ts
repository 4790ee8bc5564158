import type { Event, EventType } from '../../../schema/events.ts';
import type { TaskStatus } from '../../../schema/states.ts';
import type { SubtaskSpec, Task, TaskSpec } from '../../../schema/task.ts';
import type { OnceRequest } from '../idempotency.ts';
import type { StoredAnswer } from '../idempotency.sql.ts';
import type { OutboxRow } from '../outbox/outbox.sql.ts';
import { type Counted, cut } from '../page.sql.ts';
import type { Caller } from '../principal.ts';
import { json, type Sql, type Statement, type Tx } from '../ports/sql.ts';
import type { DagEdge } from './dag.ts';

export const taskColumns = (sql: Sql) => sql`
  task_id, goal, status, paused_at is not null as paused, progress, on_failure, priority, run, version, last_seq, subtask_count,
  completed_count, ended_count, metadata, error, owner_id, deadline_at, created_at, started_at, ended_at, updated_at`;

export const findTask = async (sql: Sql, organizationId: string, taskId: string): Promise<Task | null> => {
  const [task] = await sql<Task[]>`
    select ${taskColumns(sql)} from tasks where task_id = ${taskId} and organization_id = ${organizationId}`;
  return task ?? null;
};

export type LockedTask = Pick<Task, 'task_id' | 'owner_id' | 'status' | 'paused' | 'priority' | 'version' | 'ended_at'> & {
  edge_count: number;
};

/** Locks a task until the end of the transaction; later statements see what the previous holder of the lock committed. */
export const lockTask = async (sql: Tx, organizationId: string, taskId: string): Promise<LockedTask | null> => {
  const [task] = await sql<LockedTask[]>`
    select task_id, owner_id, status, paused_at is not null as paused, priority, version, ended_at, edge_count
    from tasks
    where task_id = ${taskId} and organization_id = ${organizationId}
    for no key update`;
  return task ?? null;
};

export type TaskFilter = {
  status: TaskStatus | undefined;
  q: string | undefined;
  after: { time: string; id: string } | null;
  limit: number;
};

/** Newest first. Each word of `q` is in the goal of the task or of one of its subtasks. */
export const listTasks = (sql: Sql, organizationId: string, { status, q, after, limit }: TaskFilter): Statement<Counted<Task>[]> =>
  cut<Task>(sql, tasksOf(sql, organizationId, { status, q, after, limit }), sql`created_at desc, task_id desc`);

/** The position before all tasks in the order of the list. */
const FIRST = { time: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

const tasksOf = (sql: Sql, organizationId: string, { status, q, after, limit }: TaskFilter) => {
  const listed = sql`${taskColumns(sql)}, octet_length(goal) + octet_length(metadata::text) as bytes`;
  if (q !== undefined) {
    const { time, id } = after ?? FIRST;
    return sql`select ${listed} from find_tasks(${organizationId}, ${q}, ${status ?? null}, ${time}, ${id}, ${limit})`;
  }
  return sql`
    select ${listed}
    from tasks
    where organization_id = ${organizationId}
      ${status === undefined ? sql`` : sql`and status = ${status}`}
      ${after === null ? sql`` : sql`and (created_at, task_id) < (${after.time}::timestamptz, ${after.id})`}
    order by created_at desc, task_id desc
    limit ${limit}`;
};

export type NewSubtask = Omit<SubtaskSpec, 'tool'> & { tool: string; position: number };

/** A checked task with its DAG; with `once`, it is stored once for that key. */
export type Submission = {
  ctx: { sql: Sql };
  caller: Caller;
  spec: TaskSpec;
  subtasks: readonly NewSubtask[];
  edges: readonly DagEdge[];
  once: OnceRequest | null;
};
type Submitted = { answers: ({ task: Task } | { stored: StoredAnswer })[]; outbox: OutboxRow[] };

const placed = <T extends object>(lists: readonly (readonly T[])[]) =>
  lists.flatMap((list, at) => list.map((it) => ({ ...it, place: at + 1 })));

const submissionOf = ({ ctx, caller, spec, subtasks, edges, once }: Submission) => {
  const { goal, on_failure, priority, metadata, timeout_seconds = null } = spec;
  return {
    request_id: ctx.sql.request_id,
    owner_id: caller.owner_id,
    task: { goal, on_failure, priority, metadata, timeout_seconds },
    subtask_count: subtasks.length,
    edge_count: edges.length,
    once: once && { principal_id: caller.principal_id, key: once.key, operation: once.operation, request_hash: once.hash },
  };
};

/** Stores tasks of one organization with their DAGs in one statement; returns what is stored for a key that was used before. */
export const submitTasks = async (sql: Sql, submissions: readonly Submission[]): Promise<Submitted> => {
  const [row] = await sql<[{ answer: Submitted }]>`
    select submit_tasks(${submissions[0]?.caller.organization_id}, ${json(submissions.map(submissionOf))},
      ${json(placed(submissions.map(({ subtasks }) => subtasks)))}, ${json(placed(submissions.map(({ edges }) => edges)))}) as answer`;
  return row.answer;
};

/** Adds subtasks to a locked task, and enqueues those that are ready. */
export const addSubtasks = (sql: Tx, taskId: string, subtasks: readonly NewSubtask[], edges: readonly DagEdge[]) => sql`
  with counted as (
    update tasks
    set subtask_count = subtask_count + ${subtasks.length}, edge_count = edge_count + ${edges.length}
    where task_id = ${taskId}
  )
  select queue_subtasks(insert_subtasks(array[${taskId}::uuid], ${json(placed([subtasks]))}, ${json(placed([edges]))}))`;

export const enqueueSubtasks = (sql: Tx, subtaskIds: readonly string[]) => sql`select queue_subtasks(${subtaskIds}::uuid[])`;

/** The subtasks of a task by their keys, with those of them that ended without completing. */
export const listKeys = async (sql: Sql, taskId: string): Promise<{ keys: Set<string>; dead: Set<string> }> => {
  const found = await sql<{ key: string; dead: boolean }[]>`
    select key, status in ('failed', 'cancelled', 'skipped') as dead from subtasks where task_id = ${taskId}`;
  return { keys: new Set(found.map((row) => row.key)), dead: new Set(found.filter((row) => row.dead).map((row) => row.key)) };
};

export type NewEvent = {
  task_id: string;
  type: EventType;
  message: string;
  level?: 'info' | 'warning' | 'error';
  subtask_id?: string;
  data?: Record<string, unknown>;
};

/** Numbers and stores events and applies them to their tasks; the tasks must be locked. */
export const recordEvents = (sql: Tx, events: readonly NewEvent[]) => sql`
  select record_events(array(select e from jsonb_populate_recordset(null::pending_event, ${json(events)}) e))`;

/** Cancels the open subtasks of a locked task and ends the task; one statement, so that the events are in order. */
export const cancelTask = (sql: Tx, taskId: string, reason: string, message: string) => sql`
  select record_events(cancel_subtasks(${taskId}, ${reason})
    || (${taskId}::uuid, 'task.cancelled', 'warning', ${message}::text, null, null, null, null, null)::pending_event)`;

export const setPaused = (sql: Tx, taskId: string, paused: boolean) => sql`
  with task as (
    update tasks set paused_at = ${paused ? sql`clock_timestamp()` : null} where task_id = ${taskId}
  )
  update queue_entries q set paused = ${paused} from subtasks s where s.task_id = ${taskId} and q.subtask_id = s.subtask_id`;

/** Reports that the place in the queue of a task's waiting subtasks may have changed. */
export const writeReadyMessage = (sql: Tx, taskId: string) => sql`
  select write_outbox(q.organization_id, 'ready', jsonb_build_object('subtask_ids', jsonb_agg(q.subtask_id)), max(q.run_after))
  from queue_entries q
  join subtasks s using (subtask_id)
  where s.task_id = ${taskId}
  group by q.organization_id`;

export type TaskChange = { [K in 'priority' | 'metadata' | 'on_failure']?: Task[K] | undefined };

export const updateTask = (sql: Tx, taskId: string, change: TaskChange) => sql`
  update tasks
  set priority = coalesce(${change.priority ?? null}, priority),
    metadata = coalesce(${change.metadata === undefined ? null : json(change.metadata)}, metadata),
    on_failure = coalesce(${change.on_failure ?? null}, on_failure)
  where task_id = ${taskId}`;

/** Removes a locked task's ready subtasks from their queue; returns them. */
export const removeFromQueue = async (sql: Tx, taskId: string): Promise<string[]> => {
  const rows = await sql<{ subtask_id: string }[]>`
    delete from queue_entries q using subtasks s where s.task_id = ${taskId} and q.subtask_id = s.subtask_id
    returning q.subtask_id`;
  return rows.map((row) => row.subtask_id);
};

/** Reopens the subtasks of a locked, ended task that did not complete; returns their number and the ids of the ready ones. */
export const reopenSubtasks = async (sql: Tx, taskId: string): Promise<{ reopened: number; ready: string[] }> => {
  const rows = await sql<{ subtask_id: string; blocked_by: number }[]>`
    update subtasks s
    set status = case when w.parents = 0 then 'ready' else 'blocked' end,
      blocked_by = w.parents, attempts = 0, infra_attempts = 0, error = null, ended_at = null, run_after = null, worker_id = null
    from (
      select r.subtask_id, count(p.subtask_id)::int as parents
      from subtasks r
      left join subtask_edges e on e.child_id = r.subtask_id
      left join subtasks p on p.subtask_id = e.parent_id and p.status <> 'completed'
      where r.task_id = ${taskId} and r.status in ('failed', 'cancelled', 'skipped')
      group by r.subtask_id
    ) w
    where s.subtask_id = w.subtask_id
    returning s.subtask_id, s.blocked_by`;
  return { reopened: rows.length, ready: rows.filter((row) => row.blocked_by === 0).map((row) => row.subtask_id) };
};

/** A new run gets the full timeout again, and is not paused. */
export const renewTask = (sql: Tx, taskId: string) => sql`
  update tasks
  set deadline_at = clock_timestamp() + make_interval(secs => timeout_seconds), paused_at = null
  where task_id = ${taskId}`;

/** Deletes a task with all its rows; outbox messages remove the bytes of its artifacts. */
export const deleteTask = async (sql: Tx, organizationId: string, taskId: string): Promise<void> => {
  await sql`
    insert into outbox (organization_id, topic, payload)
    select organization_id, 'blob.remove', jsonb_build_object('key', artifact_id)
    from artifacts
    where task_id = ${taskId}`;
  await sql`delete from tasks where task_id = ${taskId} and organization_id = ${organizationId}`;
};

export const listEvents = (sql: Sql, organizationId: string, taskId: string, afterSeq: number, limit: number) =>
  cut<Event>(
    sql,
    sql`
      select seq, type, level, message, task_id, run, subtask_id, attempt, worker_id, data, request_id, created_at,
        octet_length(message) + octet_length(data::text) as bytes
      from activity_logs
      where task_id = ${taskId} and organization_id = ${organizationId} and seq > ${afterSeq}
      order by seq
      limit ${limit}`,
    sql`seq`,
  );
