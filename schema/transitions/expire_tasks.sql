-- Fails tasks that have not ended by their deadline, at most p_limit, the most overdue first; returns their number. Tasks that others have
-- locked are skipped, so this may lock in another order than the rest.
create or replace function expire_tasks(p_limit int) returns int
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_task uuid;
  v_count int := 0;
begin
  for v_task in
    select task_id
    from tasks
    where deadline_at < statement_timestamp() and ended_at is null
    order by deadline_at
    limit p_limit
    for no key update skip locked
  loop
    perform record_events(cancel_subtasks(v_task, 'the task exceeded its timeout_seconds') || (v_task, 'task.failed', 'error',
      'The task failed: it did not end within its timeout_seconds', null, null, null,
      jsonb_build_object('error', jsonb_build_object('code', 'deadline_exceeded',
        'message', 'the task did not end within its timeout_seconds')), null)::pending_event);
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
