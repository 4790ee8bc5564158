-- For code of the previous release, which still runs while an update is under way: it records events that name no request. To be
-- dropped, with task_event, by a migration of the next release.
create or replace function record_events(p_events task_event[]) returns void
language plpgsql as $$
begin
  perform record_events(array(
    select (e.task_id, e.type, e.level, e.message, e.subtask_id, e.attempt, e.worker_id, e.data, null)::pending_event
    from unnest(p_events) with ordinality as e(task_id, type, level, message, subtask_id, attempt, worker_id, data, place)
    order by e.place
  ));
end
$$;
