-- Cancels the subtasks of a task that have not ended and revokes their leases. Returns the events, which the caller records. The caller
-- holds the lock of the task.
create or replace function cancel_subtasks(p_task uuid, p_reason text) returns pending_event[]
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_open uuid[] := array(select subtask_id from subtasks where task_id = p_task and ended_at is null);
  v_events pending_event[];
begin
  -- The queue first: this waits for claims that have locked an entry (they wait for no lock), and no claim can follow it.
  delete from queue_entries where subtask_id = any (v_open);

  update attempts
  set status = 'cancelled', ended_at = clock_timestamp()
  where subtask_id = any (v_open) and ended_at is null;

  with ended as (
    update subtasks s
    set status = 'cancelled', ended_at = clock_timestamp(), lease_token = null, run_after = null
    from subtasks o
    where o.subtask_id = s.subtask_id and s.subtask_id = any (v_open) and o.subtask_id = any (v_open)
    returning s.subtask_id, s.key, s.position, s.attempt, s.worker_id, o.lease_token is not null as held
  )
  select array_agg((p_task, 'subtask.cancelled', 'warning', format('Subtask %s was cancelled: %s', key, p_reason), subtask_id,
    case when held then attempt end, case when held then worker_id end, null, null)::pending_event order by position)
  into v_events
  from ended;
  return coalesce(v_events, '{}');
end
$$;
