-- Starts claimed subtasks whose tasks the caller has locked.
create or replace function start_locked(p_subtasks uuid[]) returns void
language plpgsql as $$
declare
  v_events task_event[];
begin
  update attempts a
  set status = 'running',
    started_at = clock_timestamp(),
    deadline_at = clock_timestamp() + make_interval(secs => s.timeout_seconds + 15)
  from subtasks s
  where s.subtask_id = any (p_subtasks) and a.subtask_id = s.subtask_id and a.attempt = s.attempt and a.status = 'claimed';

  update subtasks
  set status = 'running', started_at = coalesce(started_at, clock_timestamp())
  where subtask_id = any (p_subtasks) and status = 'claimed';

  select array_agg(e.event order by e.place, e.subtask_id) into v_events
  from (
    select distinct 0 as place, null::uuid as subtask_id,
      (t.task_id, 'task.started', 'info', 'The task started', null, null, null, null)::task_event as event
    from subtasks s
    join tasks t using (task_id)
    where s.subtask_id = any (p_subtasks) and t.status = 'pending'
    union all
    select 1, s.subtask_id,
      (s.task_id, 'subtask.started', 'info', format('Subtask %s started', s.key), s.subtask_id, s.attempt, s.worker_id, null)::task_event
    from subtasks s
    where s.subtask_id = any (p_subtasks)
  ) e;
  perform record_events(v_events);
end
$$;
