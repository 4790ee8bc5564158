-- Revokes a worker's credential and returns the subtasks that it holds to the queue; returns false when there is no such worker.
create or replace function remove_worker(p_organization uuid, p_worker uuid) returns boolean
language plpgsql as $$
declare
  v_held uuid[];
  v_subtask uuid;
begin
  update workers
  set deleted_at = clock_timestamp(), status = 'offline', version = version + 1
  where worker_id = p_worker and organization_id = p_organization and deleted_at is null;
  if not found then
    return false;
  end if;

  select array_agg(subtask_id) into v_held from attempts where worker_id = p_worker and ended_at is null;
  perform 1
  from tasks
  where task_id in (select s.task_id from subtasks s where s.subtask_id = any (v_held))
  order by task_id
  for no key update;

  foreach v_subtask in array coalesce(v_held, '{}') loop
    if exists (select from attempts where subtask_id = v_subtask and worker_id = p_worker and ended_at is null) then
      perform end_attempt(v_subtask, 'lost', 'lost', 'its worker was removed', null, null);
    end if;
  end loop;
  return true;
end
$$;
