import type { Pool } from '../../functions/domain/ports/pool.ts';
import type { Sql } from '../../functions/domain/ports/sql.ts';

/** Invariants that hold after every transaction. Each is a query that returns the rows that break it. */
const INVARIANTS = {
  'a subtask completes at most once': `
    select subtask_id::text as found from activity_logs where type = 'subtask.completed' group by subtask_id having count(*) > 1`,

  'a leased subtask has exactly one open attempt, with the same lease; other subtasks have none': `
    select s.subtask_id::text as found
    from subtasks s
    left join attempts a on a.subtask_id = s.subtask_id and a.ended_at is null
    group by s.subtask_id
    having count(a.attempt) <> (s.lease_token is not null)::int
      or (s.lease_token is not null and not bool_and(a.lease_token = s.lease_token and a.attempt = s.attempt and a.status::text = s.status::text
        and a.worker_id = s.worker_id))`,

  'attempts are numbered from 1 without gaps and each has its own lease': `
    select s.subtask_id::text as found
    from subtasks s
    left join attempts a using (subtask_id)
    group by s.subtask_id
    having count(a.attempt) <> s.attempt or coalesce(max(a.attempt), 0) <> s.attempt or count(distinct a.lease_token) <> s.attempt`,

  'no subtask starts before its parents have completed': `
    select c.subtask_id::text as found
    from activity_logs c
    join subtask_edges e on e.child_id = c.subtask_id
    left join activity_logs p on p.task_id = c.task_id and p.subtask_id = e.parent_id and p.type = 'subtask.completed' and p.seq < c.seq
    where c.type = 'subtask.started' and p.seq is null`,

  'a child is released at most once per run': `
    select subtask_id::text as found from activity_logs where type = 'subtask.ready' group by subtask_id, run having count(*) > 1`,

  'events are numbered from 1 to last_seq without gaps': `
    select t.task_id::text as found
    from tasks t
    left join activity_logs l using (task_id)
    group by t.task_id
    having count(l.seq) <> t.last_seq or coalesce(min(l.seq), 1) <> 1 or coalesce(max(l.seq), 0) <> t.last_seq`,

  'counters match the rows they count': `
    select t.task_id::text as found
    from tasks t
    left join subtasks s using (task_id)
    group by t.task_id
    having t.subtask_count <> count(s.subtask_id)
      or t.completed_count <> count(*) filter (where s.status = 'completed')
      or t.ended_count <> count(*) filter (where s.ended_at is not null)
      or t.edge_count <> (select count(*) from subtask_edges e join subtasks c on c.subtask_id = e.child_id where c.task_id = t.task_id)`,

  'a blocked subtask counts the parents that have not completed': `
    select s.subtask_id::text as found
    from subtasks s
    where s.status in ('blocked', 'ready', 'claimed', 'running', 'completed') and s.blocked_by <> (
      select count(*) from subtask_edges e join subtasks p on p.subtask_id = e.parent_id where e.child_id = s.subtask_id and p.status <> 'completed')`,

  'the dependencies of a subtask match its edges': `
    select s.subtask_id::text as found
    from subtasks s
    where (select coalesce(jsonb_agg(d order by d), '[]') from jsonb_array_elements_text(s.dependencies) d) <> (
      select coalesce(jsonb_agg(p.key order by p.key), '[]')
      from subtask_edges e join subtasks p on p.subtask_id = e.parent_id where e.child_id = s.subtask_id)`,

  'the queue holds exactly the ready subtasks, with the values of their task': `
    select coalesce(s.subtask_id, q.subtask_id)::text as found
    from (select * from subtasks where status = 'ready') s
    full join queue_entries q using (subtask_id)
    left join tasks t using (task_id)
    where s.subtask_id is null or q.subtask_id is null
      or (q.organization_id, q.owner_id, q.tool, q.labels, q.priority, q.paused)
        is distinct from (s.organization_id, s.owner_id, s.tool, s.labels, t.priority, t.paused_at is not null)
      or q.run_after is distinct from s.run_after`,

  'attempts stay within their limits': `
    select subtask_id::text as found
    from subtasks
    where attempts > (retry ->> 'max_attempts')::int or infra_attempts > (retry ->> 'max_infra_attempts')::int`,

  'a run ends once, and has no events after its end': `
    select l.task_id::text as found
    from activity_logs l
    join activity_logs e on e.task_id = l.task_id and e.run = l.run and e.seq < l.seq
    where e.type in ('task.completed', 'task.failed', 'task.cancelled')`,

  'an ended task has no open subtasks': `
    select t.task_id::text as found from tasks t join subtasks s using (task_id) where t.ended_at is not null and s.ended_at is null`,

  'every ended subtask has an event for its end': `
    select s.subtask_id::text as found
    from subtasks s
    where s.ended_at is not null and not exists (
      select from activity_logs l where l.task_id = s.task_id and l.subtask_id = s.subtask_id and l.type = 'subtask.' || s.status)`,

  'no worker holds more than its slots': `
    select w.worker_id::text as found
    from workers w
    join attempts a on a.worker_id = w.worker_id and a.ended_at is null
    group by w.worker_id
    having count(*) > w.slots`,

  'rows of a task belong to its organization and owner': `
    select s.subtask_id::text as found
    from subtasks s join tasks t using (task_id)
    where (s.organization_id, s.owner_id) <> (t.organization_id, t.owner_id)
    union all
    select l.log_id::text from activity_logs l join tasks t using (task_id) where l.organization_id <> t.organization_id
    union all
    select s.subtask_id::text
    from attempts a join subtasks s using (subtask_id) join workers w on w.worker_id = a.worker_id
    where (a.organization_id, w.organization_id, a.task_id) <> (s.organization_id, s.organization_id, s.task_id)
    union all
    select e.child_id::text
    from subtask_edges e join subtasks c on c.subtask_id = e.child_id join subtasks p on p.subtask_id = e.parent_id
    where (e.organization_id, e.organization_id, p.task_id) <> (c.organization_id, p.organization_id, c.task_id)
    union all
    select a.subtask_id::text from attempt_logs l join attempts a using (subtask_id, attempt) where l.organization_id <> a.organization_id`,
} as const;

export type Invariant = keyof typeof INVARIANTS;
export const INVARIANT_NAMES = Object.keys(INVARIANTS) as Invariant[];

/** The broken invariants of a database with at most five violations each; empty when all hold. Call it when no transaction is open. */
export const checkInvariants = async (sql: Sql | Pool): Promise<string[]> => {
  const checks = INVARIANT_NAMES.map(
    (name) => `select '${name}' as name, array(select found::text from (${INVARIANTS[name]}) broken limit 5) as found`,
  );
  const rows = await sql.unsafe<{ name: string; found: string[] }[]>(checks.join(' union all '));
  return rows.filter((row) => row.found.length > 0).map((row) => `${row.name}: ${row.found.join(', ')}`);
};
