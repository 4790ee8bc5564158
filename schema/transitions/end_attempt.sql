-- Ends the open attempt of a subtask other than by success (p_outcome: failed, timed_out, lost, released), then queues the subtask again
-- or fails it. Attempts that failed and attempts that were lost with their machine have separate limits.
-- The caller holds the lock of the task and has checked that the lease is current.
create or replace function end_attempt(
  p_subtask uuid, p_outcome text, p_class text, p_message text, p_usage jsonb, p_hash text
) returns void
language plpgsql as $$
declare
  s subtasks;
  t tasks;
  v_own boolean := p_outcome in ('failed', 'timed_out');
  v_error jsonb := jsonb_build_object('failure_class', p_class, 'message', p_message);
  v_again boolean;
  v_events pending_event[];
begin
  select * into s from subtasks where subtask_id = p_subtask;
  select * into t from tasks where task_id = s.task_id;
  s.attempts := s.attempts + v_own::int;
  s.infra_attempts := s.infra_attempts + (not v_own)::int;
  v_again := case when v_own
    then s.retry -> 'on' ? p_class and s.attempts < (s.retry ->> 'max_attempts')::int
    else s.infra_attempts < (s.retry ->> 'max_infra_attempts')::int end;

  update attempts
  set status = p_outcome, ended_at = clock_timestamp(), failure_class = p_class, error = v_error, usage = p_usage, outcome_hash = p_hash
  where subtask_id = p_subtask and attempt = s.attempt;

  update subtasks
  set status = case when v_again then 'ready' else 'failed' end,
    ended_at = case when not v_again then clock_timestamp() end,
    lease_token = null,
    worker_id = case when not v_again then s.worker_id end,
    attempts = s.attempts,
    infra_attempts = s.infra_attempts,
    error = v_error,
    run_after = case when v_again and v_own
      then clock_timestamp() + make_interval(secs => retry_delay_ms(s.retry, s.attempts) / 1000) end
  where subtask_id = p_subtask
  returning run_after into s.run_after;
  if v_again then
    perform queue_subtasks(array[p_subtask], true);
  end if;

  v_events := array[(s.task_id,
    case when not v_again then 'subtask.failed' when v_own then 'subtask.retried' when p_outcome = 'lost' then 'subtask.lease_lost'
      else 'subtask.released' end,
    case when v_again then 'warning' else 'error' end,
    format(case
      when not v_again then 'Subtask %s failed: %s'
      when v_own then 'Subtask %s will be retried: %s'
      else 'Subtask %s was returned to the queue: %s' end, s.key, p_message),
    s.subtask_id, s.attempt, s.worker_id,
    jsonb_build_object('failure_class', p_class, 'run_after', s.run_after), null)::pending_event];

  if not v_again and t.on_failure = 'fail_task' then
    v_events := v_events || cancel_subtasks(s.task_id, format('subtask %s failed', s.key)) || (s.task_id, 'task.failed', 'error',
      format('The task failed: subtask %s failed', s.key), s.subtask_id, null, null,
      jsonb_build_object('error', jsonb_build_object('code', 'subtask_failed', 'subtask_id', s.subtask_id,
        'message', format('subtask %s failed: %s', s.key, p_message))), null)::pending_event;
  elsif not v_again then
    with recursive below as (
      select e.child_id from subtask_edges e where e.parent_id = p_subtask
      union
      select e.child_id from subtask_edges e join below b on e.parent_id = b.child_id
    ), skipped as (
      update subtasks k
      set status = 'skipped', ended_at = clock_timestamp()
      from below b
      where k.subtask_id = b.child_id and k.status = 'blocked'
      returning k.subtask_id, k.key, k.position
    )
    select v_events || coalesce(array_agg((s.task_id, 'subtask.skipped', 'warning',
      format('Subtask %s was skipped: %s failed', k.key, s.key), k.subtask_id, null, null, null, null)::pending_event order by k.position), '{}')
    into v_events
    from skipped k;
  end if;

  perform record_events(v_events);
end
$$;
