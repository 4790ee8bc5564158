-- Completes subtasks, each judged by itself: its children are released, its task moves on and may end.
-- p_items: [{subtask_id, lease_token, attempt, result, result_bytes, result_artifact_id, usage, hash}], no subtask twice.
-- Answers [{subtask_id, error}] or [{subtask_id, status, task_status}] in the same order.
create or replace function complete_subtasks(p_organization uuid, p_worker uuid, p_items jsonb) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_ids uuid[];
  v_done uuid[];
  v_released uuid[];
  v_judged jsonb;
  v_events task_event[];
begin
  select array_agg((item ->> 'subtask_id')::uuid) into v_ids from jsonb_array_elements(p_items) as item;

  perform 1
  from tasks t
  where t.task_id in (select s.task_id from subtasks s where s.subtask_id = any (v_ids) and s.organization_id = p_organization)
  order by t.task_id
  for no key update;

  with items as (
    select i.*
    from rows from (jsonb_to_recordset(p_items) as (
      subtask_id uuid, lease_token uuid, attempt int, result_artifact_id uuid, hash text
    )) with ordinality as i(subtask_id, lease_token, attempt, result_artifact_id, hash, place)
  )
  select jsonb_agg(jsonb_build_object('subtask_id', i.subtask_id, 'error', coalesce(
    judge_fence(p_organization, p_worker, i.subtask_id, i.lease_token, i.attempt, 'succeeded', i.hash),
    case
      when s.status = 'claimed' then 'attempt_not_started'
      when i.result_artifact_id is not null and f.artifact_id is null then 'artifact_not_found'
      when i.result_artifact_id is not null and f.status <> 'stored' then 'artifact_not_stored'
    end)) order by i.place)
  into v_judged
  from items i
  left join subtasks s on s.subtask_id = i.subtask_id
  left join artifacts f on f.artifact_id = i.result_artifact_id and f.subtask_id = i.subtask_id and f.attempt = i.attempt;

  select array_agg((j ->> 'subtask_id')::uuid) into v_done from jsonb_array_elements(v_judged) as j where j ->> 'error' is null;

  if v_done is not null then
    update attempts a
    set status = 'succeeded', ended_at = clock_timestamp(), outcome_hash = i.hash, usage = i.usage
    from jsonb_to_recordset(p_items) as i(subtask_id uuid, attempt int, hash text, usage jsonb)
    where i.subtask_id = any (v_done) and a.subtask_id = i.subtask_id and a.attempt = i.attempt;

    update subtasks s
    set status = 'completed', ended_at = clock_timestamp(), lease_token = null, error = null,
      result = i.result, result_bytes = i.result_bytes, result_artifact_id = i.result_artifact_id
    from jsonb_to_recordset(p_items) as i(subtask_id uuid, result jsonb, result_bytes int, result_artifact_id uuid)
    where i.subtask_id = any (v_done) and s.subtask_id = i.subtask_id;

    with freed as (
      select e.child_id, count(*) as parents from subtask_edges e where e.parent_id = any (v_done) group by e.child_id
    ), fewer as (
      update subtasks s
      set blocked_by = s.blocked_by - f.parents
      from freed f
      where s.subtask_id = f.child_id and s.status = 'blocked' and s.blocked_by > f.parents
    )
    select array_agg(s.subtask_id) into v_released
    from subtasks s
    join freed f on f.child_id = s.subtask_id
    where s.status = 'blocked' and s.blocked_by <= f.parents;

    if v_released is not null then
      perform enqueue_subtasks(v_released);
    end if;

    select array_agg(e.event order by e.place, e.position) into v_events
    from (
      select 0 as place, s.position, (s.task_id, 'subtask.completed', 'info', format('Subtask %s completed', s.key),
        s.subtask_id, s.attempt, s.worker_id, null)::task_event as event
      from subtasks s
      where s.subtask_id = any (v_done)
      union all
      select 1, s.position, (s.task_id, 'subtask.ready', 'info', format('Subtask %s is ready', s.key),
        s.subtask_id, null, null, null)::task_event
      from subtasks s
      where s.subtask_id = any (v_released)
      union all
      select 2, 0, end_event(t, done.subtasks, done.subtasks)
      from (select task_id, count(*)::int as subtasks from subtasks where subtask_id = any (v_done) group by task_id) done
      join tasks t using (task_id)
      where t.ended_count + done.subtasks = t.subtask_count
    ) e;
    perform record_events(v_events);
  end if;

  return (
    select jsonb_agg(case
      when coalesce(j ->> 'error', 'repeated') = 'repeated'
        then jsonb_build_object('subtask_id', s.subtask_id, 'status', 'completed', 'task_status', t.status)
      else j end order by place)
    from jsonb_array_elements(v_judged) with ordinality as judged(j, place)
    left join subtasks s on s.subtask_id = (j ->> 'subtask_id')::uuid
    left join tasks t using (task_id)
  );
end
$$;
