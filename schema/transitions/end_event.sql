-- The event with which a task ends whose last p_ended subtasks are ending now, p_completed of them completed.
create or replace function end_event(t tasks, p_ended int, p_completed int) returns task_event
language sql stable as $$
  select case when t.completed_count + p_completed = t.subtask_count
    then (t.task_id, 'task.completed', 'info', 'The task completed', null, null, null, null)::task_event
    else (t.task_id, 'task.failed', 'error', 'The task ended with subtasks that failed', null, null, null,
      jsonb_build_object('error', jsonb_build_object('code', 'subtasks_failed', 'message',
        format('%s of %s subtasks did not complete', t.subtask_count - t.completed_count - p_completed, t.subtask_count))))::task_event
  end
$$;
