-- Records that subtasks were started; the first one of a task starts the task. The caller holds the locks of the tasks.
create or replace function record_starts(p_subtasks uuid[]) returns void
language plpgsql as $$
begin
  perform record_events(array_agg(e.event order by e.place, e.key))
  from (
    select distinct 0 as place, '' as key,
      (t.task_id, 'task.started', 'info', 'The task started', null, null, null, null)::task_event as event
    from subtasks s
    join tasks t using (task_id)
    where s.subtask_id = any (p_subtasks) and t.status = 'pending'
    union all
    select 1, s.key,
      (s.task_id, 'subtask.started', 'info', format('Subtask %s started', s.key), s.subtask_id, s.attempt, s.worker_id, null)::task_event
    from subtasks s
    where s.subtask_id = any (p_subtasks)
  ) e;
end
$$;
