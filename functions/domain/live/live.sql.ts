import type { WorkerMode } from '../../../schema/states.ts';
import type { LiveEvent, LiveTask, RecordedWorker, QueueContents, QueuePlace } from '../ports/hints.ts';
import { json, type Sql } from '../ports/sql.ts';
import { taskColumns } from '../tasks/tasks.sql.ts';
import { workerColumns } from '../workers/workers.sql.ts';

const MOST_QUEUED = 20_000;

export type Range = readonly [taskId: string, from: number, to: number];

/** Deletes outbox rows and returns the events in their ranges, in order within each task. */
export const takeEvents = (sql: Sql, outboxIds: readonly number[], ranges: readonly Range[]): Promise<LiveEvent[]> => sql<LiveEvent[]>`
  with taken as (
    delete from outbox where outbox_id = any (${outboxIds}::bigint[])
  )
  select l.seq, l.type, l.level, l.message, l.task_id, l.run, l.subtask_id, l.attempt, l.worker_id, l.data, l.request_id, l.created_at, l.organization_id,
    (select s.tool from subtasks s where s.subtask_id = l.subtask_id) as tool
  from jsonb_array_elements(${json(ranges)}::jsonb) as r
  cross join lateral (
    select *
    from activity_logs
    where task_id = (r ->> 0)::uuid and seq between (r ->> 1)::bigint and (r ->> 2)::bigint
    order by seq
    offset 0 -- one range after the other, however many the planner expects
  ) l
  order by l.task_id, l.seq`;

export const readTasks = (sql: Sql, taskIds: readonly string[]): Promise<LiveTask[]> => sql<LiveTask[]>`
  select ${taskColumns(sql)}, organization_id from tasks where task_id = any (${taskIds}::uuid[])`;

export type QueueState = QueuePlace & { waits: boolean };

/** Deletes outbox rows and returns the places of their subtasks in the queue; `waits` is false for those that can't be claimed. */
export const takeReady = (sql: Sql, outboxIds: readonly number[], subtaskIds: readonly string[]): Promise<QueueState[]> => sql<
  QueueState[]
>`
  with taken as (
    delete from outbox where outbox_id = any (${outboxIds}::bigint[])
  )
  select s.subtask_id, s.organization_id, s.tool, coalesce(q.priority, 0) as priority, coalesce(q.turn, 0) as turn,
    coalesce(not q.paused and (q.run_after is null or q.run_after <= clock_timestamp()), false) as waits
  from subtasks s
  left join queue_entries q using (subtask_id)
  where s.subtask_id = any (${subtaskIds}::uuid[])`;

/** A row where organization `o` has a task that has not ended: one index lookup for each status, however many tasks have ended. */
const openTask = (sql: Sql) => sql`
  (select 1 from tasks where organization_id = o.organization_id and status = 'pending' order by created_at desc, task_id desc limit 1)
  union all
  (select 1 from tasks where organization_id = o.organization_id and status = 'running' order by created_at desc, task_id desc limit 1)`;

/** Organizations that have open tasks, or workers that claim. */
export const busyOrganizations = async (sql: Sql, limit: number): Promise<string[]> => {
  const rows = await sql<{ organization_id: string }[]>`
    select o.organization_id
    from organizations o
    cross join lateral (
      ${openTask(sql)}
      union all
      (select 1 from workers where organization_id = o.organization_id and deleted_at is null order by registered_at desc, worker_id desc limit 1)
      limit 1
    ) busy
    limit ${limit}`;
  return rows.map((row) => row.organization_id);
};

/** The first subtasks in the queues of an organization, and those that are claimed or running; 20,000 of each at most. */
export const readQueues = async (sql: Sql, organizationId: string): Promise<QueueContents> => {
  const ready = await sql<QueuePlace[]>`
    select organization_id, subtask_id, tool, priority, turn
    from queue_entries
    where organization_id = ${organizationId} and not paused and (run_after is null or run_after <= clock_timestamp())
    order by priority desc, turn
    limit ${MOST_QUEUED}`;
  const open = await sql<{ subtask_id: string }[]>`
    select subtask_id from attempts where organization_id = ${organizationId} and ended_at is null limit ${MOST_QUEUED}`;
  return { ready, in_progress: open.map((row) => row.subtask_id), is_whole: Math.max(ready.length, open.length) < MOST_QUEUED };
};

/** Deletes outbox rows and returns their workers. */
export const takeWorkers = (sql: Sql, outboxIds: readonly number[], workerIds: readonly string[]): Promise<RecordedWorker[]> => sql<
  RecordedWorker[]
>`
  with taken as (
    delete from outbox where outbox_id = any (${outboxIds}::bigint[])
  )
  select ${workerColumns(sql)}, organization_id, deleted_at is not null as deleted
  from workers
  where worker_id = any (${workerIds}::uuid[])`;

/** The modes of workers by their ids, without those that were removed. */
export const readModes = async (sql: Sql, workerIds: readonly string[]): Promise<Map<string, WorkerMode>> => {
  const rows = await sql<{ worker_id: string; mode: WorkerMode }[]>`
    select worker_id, mode from workers where worker_id = any (${workerIds}::uuid[]) and deleted_at is null`;
  return new Map(rows.map(({ worker_id, mode }) => [worker_id, mode]));
};

/** Whether there is nothing to do: no task is open, and the outbox is empty. */
export const isDone = async (sql: Sql): Promise<boolean> => {
  const [row] = await sql<[{ done: boolean }]>`
    select not exists (select from outbox)
      and not exists (select from organizations o cross join lateral (${openTask(sql)} limit 1) open) as done`;
  return row.done;
};
