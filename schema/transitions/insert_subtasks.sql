-- Stores subtasks of a task with their edges, blocked by all their parents that have not completed or ready, and what a search reads
-- of the task. Returns the ids of those that wait for nothing, which the caller enqueues. The caller holds the lock of the task and counts what it added.
create or replace function insert_subtasks(p_task uuid, p_subtasks jsonb, p_edges jsonb) returns uuid[]
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_ready uuid[];
begin
  with spec as (
    select * from jsonb_to_recordset(p_subtasks) as spec(
      key text, position int, goal text, tool text, input jsonb, labels jsonb, dependencies jsonb, timeout_seconds int,
      idle_timeout_seconds int, first_event_timeout_seconds int, verify jsonb, result_schema jsonb, retry jsonb
    )
  ), edge as (
    select * from jsonb_to_recordset(p_edges) as edge(parent text, child text)
  ), waits as (
    select e.child, count(*)::int as parents
    from edge e
    left join subtasks p on p.task_id = p_task and p.key = e.parent
    where p.status is distinct from 'completed'
    group by e.child
  ), added as (
    insert into subtasks (task_id, organization_id, owner_id, key, position, goal, tool, input, labels, dependencies, timeout_seconds,
      idle_timeout_seconds, first_event_timeout_seconds, verify, result_schema, retry, blocked_by, status)
    select t.task_id, t.organization_id, t.owner_id, s.key, s.position, s.goal, s.tool, s.input, s.labels, s.dependencies,
      s.timeout_seconds, s.idle_timeout_seconds, s.first_event_timeout_seconds, s.verify, s.result_schema, s.retry,
      coalesce(w.parents, 0), case when w.parents is null then 'ready' else 'blocked' end
    from spec s
    cross join tasks t
    left join waits w on w.child = s.key
    where t.task_id = p_task
    order by s.position
    returning subtask_id, organization_id, key, status
  ), joined as (
    insert into subtask_edges (parent_id, child_id, organization_id)
    select coalesce(fresh.subtask_id, old.subtask_id), child.subtask_id, child.organization_id
    from edge e
    join added child on child.key = e.child
    left join added fresh on fresh.key = e.parent
    left join subtasks old on old.task_id = p_task and old.key = e.parent
  ), documented as (
    insert into search_documents (task_id, organization_id, created_at, terms)
    select t.task_id, t.organization_id, t.created_at, search_document(t.organization_id, known.terms,
      case when known.task_id is null then array[t.goal] end || array(select goal from spec order by position))
    from tasks t
    left join search_documents known using (task_id)
    where t.task_id = p_task
    on conflict (task_id) do update set terms = excluded.terms where search_documents.terms <> excluded.terms
  )
  select coalesce(array_agg(subtask_id) filter (where status = 'ready'), '{}') into v_ready from added;
  return v_ready;
end
$$;
