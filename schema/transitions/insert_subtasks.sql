-- Stores subtasks of tasks with their edges, and the search terms of the tasks. A subtask is blocked by its parents that have not
-- completed; without any it is ready. `place` of a subtask or an edge is a position in p_tasks; where that is null, it is skipped. Returns
-- the ids of the ready subtasks, which the caller queues. The caller holds the locks of the tasks and updates their counts.
-- Stored rows are looked up one by one (`lateral … limit 1`): with a join, the planner might scan a whole table. The edges and the new
-- subtasks, which no index holds, are joined by hash.
create or replace function insert_subtasks(p_tasks uuid[], p_subtasks jsonb, p_edges jsonb) returns uuid[]
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = on
as $$
declare
  v_ready uuid[];
begin
  with spec as (
    select p_tasks[s.place] as task_id, s.*
    from jsonb_to_recordset(p_subtasks) as s(
      place int, key text, position int, goal text, tool text, input jsonb, labels jsonb, dependencies jsonb, timeout_seconds int,
      idle_timeout_seconds int, first_event_timeout_seconds int, verify jsonb, result_schema jsonb, retry jsonb
    )
    where p_tasks[s.place] is not null
  ), edge as (
    select p_tasks[e.place] as task_id, e.parent, e.child
    from jsonb_to_recordset(p_edges) as e(place int, parent text, child text)
    where p_tasks[e.place] is not null
  ), waits as (
    select e.task_id, e.child, count(*)::int as parents
    from edge e
    left join lateral (select p.status from subtasks p where p.task_id = e.task_id and p.key = e.parent limit 1) p on true
    where p.status is distinct from 'completed'
    group by e.task_id, e.child
  ), added as (
    insert into subtasks (task_id, organization_id, owner_id, key, position, goal, tool, input, labels, dependencies, timeout_seconds,
      idle_timeout_seconds, first_event_timeout_seconds, verify, result_schema, retry, blocked_by, status)
    select t.task_id, t.organization_id, t.owner_id, s.key, s.position, s.goal, s.tool, s.input, s.labels, s.dependencies,
      s.timeout_seconds, s.idle_timeout_seconds, s.first_event_timeout_seconds, s.verify, s.result_schema, s.retry,
      coalesce(w.parents, 0), case when w.parents is null then 'ready' else 'blocked' end
    from spec s
    cross join lateral (select t.task_id, t.organization_id, t.owner_id from tasks t where t.task_id = s.task_id limit 1) t
    left join waits w on w.task_id = s.task_id and w.child = s.key
    order by s.place, s.position
    returning subtask_id, task_id, organization_id, key, status
  ), joined as (
    insert into subtask_edges (parent_id, child_id, organization_id)
    select coalesce(fresh.subtask_id, old.subtask_id), child.subtask_id, child.organization_id
    from edge e
    join added child on child.task_id = e.task_id and child.key = e.child
    left join added fresh on fresh.task_id = e.task_id and fresh.key = e.parent
    left join lateral (
      select p.subtask_id from subtasks p where p.task_id = e.task_id and p.key = e.parent limit 1
    ) old on fresh.subtask_id is null
  ), documented as (
    insert into search_documents (task_id, organization_id, created_at, terms)
    select t.task_id, t.organization_id, t.created_at, search_document(t.organization_id, known.terms,
      case when known.task_id is null then array[t.goal] end
        || array(select s.goal from spec s where s.task_id = t.task_id and s.goal <> t.goal order by s.position))
    from tasks t
    left join lateral (select d.task_id, d.terms from search_documents d where d.task_id = t.task_id limit 1) known on true
    where t.task_id = any (p_tasks)
    on conflict (task_id) do update set terms = excluded.terms where search_documents.terms <> excluded.terms
  )
  select coalesce(array_agg(subtask_id) filter (where status = 'ready'), '{}') into v_ready from added;
  return v_ready;
end
$$;
