-- Starts those of the given subtasks that are claimed under the given lease; the others stay as they are. The first start of a subtask
-- starts its task. p_places are positions in p_workers and p_request_ids. The caller holds the locks of the tasks. Returns the subtasks
-- that it started.
create or replace function start_claimed(
  p_organization uuid, p_workers uuid[], p_request_ids text[], p_places int[], p_subtasks uuid[], p_tokens uuid[], p_attempts int[]
) returns uuid[]
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_started uuid[];
  v_events pending_event[];
begin
  with begun as (
    update subtasks s
    set status = 'running', started_at = coalesce(s.started_at, clock_timestamp())
    from unnest(p_places, p_subtasks, p_tokens, p_attempts) as i(place, subtask_id, lease_token, attempt)
    where s.subtask_id = i.subtask_id and s.lease_token = i.lease_token and s.attempt = i.attempt and s.status = 'claimed'
      and s.worker_id = p_workers[i.place] and s.organization_id = p_organization
    returning s.subtask_id, s.task_id, s.key, s.attempt, s.worker_id, s.timeout_seconds, i.place
  ), running as (
    update attempts a
    set status = 'running', started_at = clock_timestamp(), deadline_at = attempt_deadline(b.timeout_seconds)
    from begun b
    where a.subtask_id = b.subtask_id and a.attempt = b.attempt
  ), opened as (
    select t.task_id, min(b.place) as place
    from begun b
    join tasks t using (task_id)
    where t.status = 'pending'
    group by t.task_id
  )
  select array_agg(b.subtask_id),
    (select array_agg((o.task_id, 'task.started', 'info', 'The task started', null, null, null, null, p_request_ids[o.place])::pending_event)
      from opened o)
    || array_agg((b.task_id, 'subtask.started', 'info', format('Subtask %s started', b.key), b.subtask_id, b.attempt, b.worker_id,
      null, p_request_ids[b.place])::pending_event order by b.key)
  into v_started, v_events
  from begun b;
  if v_started is not null then
    perform record_events(v_events);
  end if;
  return coalesce(v_started, '{}');
end
$$;
