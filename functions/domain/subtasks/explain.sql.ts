import type { SubtaskStatus } from '../../../schema/states.ts';
import type { Worker } from '../../../schema/worker.ts';
import type { Sql } from '../ports/sql.ts';
import { workerColumns } from '../workers/workers.sql.ts';

export type Explained = {
  subtask_id: string;
  status: SubtaskStatus;
  key: string;
  owner_id: string;
  tool: string;
  labels: Record<string, string>;
  paused: boolean;
  run_after: string | null;
  waits_for_time: boolean;
  worker_id: string | null;
};

export const findExplained = async (sql: Sql, organizationId: string, subtaskId: string): Promise<Explained | null> => {
  const [subtask] = await sql<Explained[]>`
    select s.subtask_id, s.status, s.key, s.owner_id, s.tool, s.labels, t.paused_at is not null as paused, s.run_after, s.worker_id,
      coalesce(s.run_after > clock_timestamp(), false) as waits_for_time
    from subtasks s
    join tasks t using (task_id)
    where s.subtask_id = ${subtaskId} and s.organization_id = ${organizationId}`;
  return subtask ?? null;
};

/** The parents that have not completed: their number, and the first 50. */
export const openParents = async (sql: Sql, subtaskId: string): Promise<{ count: number; ids: string[] }> => {
  const rows = await sql<{ subtask_id: string; count: number }[]>`
    select p.subtask_id, (count(*) over ())::int as count
    from subtask_edges e
    join subtasks p on p.subtask_id = e.parent_id
    where e.child_id = ${subtaskId} and p.status <> 'completed'
    order by p.position
    limit 50`;
  return { count: rows[0]?.count ?? 0, ids: rows.map((row) => row.subtask_id) };
};

const MOST_AHEAD = 1_000;

/**
 * The number of ready subtasks before this one that a worker of this one may claim too, counted up to 1,000; subtasks that only other
 * workers may claim do not delay it. Both parts are ranges of the queue's order, so that nothing after the subtask is read.
 */
export const countAhead = async (sql: Sql, subtaskId: string): Promise<number> => {
  const [row] = await sql<[{ ahead: number }]>`
    select count(*)::int as ahead
    from (
      select 1
      from queue_entries me
      cross join lateral (
        select labels, owner_id, run_after
        from queue_entries
        where organization_id = me.organization_id and tool = me.tool and not paused and priority > me.priority
        union all
        select labels, owner_id, run_after
        from queue_entries
        where organization_id = me.organization_id and tool = me.tool and not paused and priority = me.priority
          and (turn, created_at) < (me.turn, me.created_at)
      ) o
      where me.subtask_id = ${subtaskId} and (o.run_after is null or o.run_after <= clock_timestamp()) and exists (
        select from workers w
        where w.organization_id = me.organization_id and w.deleted_at is null and w.tools ? me.tool
          and me.labels <@ w.labels and o.labels <@ w.labels
          and (w.owner_ids is null or (me.owner_id = any (w.owner_ids) and o.owner_id = any (w.owner_ids)))
      )
      limit ${MOST_AHEAD}
    ) before`;
  return row.ahead;
};

export const listAllWorkers = (sql: Sql, organizationId: string, limit: number): Promise<Worker[]> => sql<Worker[]>`
  select ${workerColumns(sql)}
  from workers
  where organization_id = ${organizationId} and deleted_at is null
  order by last_seen_at desc
  limit ${limit}`;
