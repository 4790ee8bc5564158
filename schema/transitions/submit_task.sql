-- Stores a task with its DAG, all or nothing, in one round trip. With p_once (`principal_id`, `key`, `operation`, `request_hash`) it
-- does so once for that key: it waits for a request under the same key that is under way, and returns what is stored for it.
-- Returns {task, outbox}, or {stored} where the key was used before.
create or replace function submit_task(
  p_request text, p_organization uuid, p_owner uuid, p_task jsonb, p_subtasks jsonb, p_edges jsonb, p_once jsonb default null
) returns jsonb
language plpgsql as $$
declare
  v_task uuid;
  v_answer jsonb;
begin
  perform set_config('maw.request_id', p_request, true);

  if p_once is not null then
    insert into idempotency_keys (organization_id, principal_id, key, operation, request_hash)
    values (p_organization, (p_once ->> 'principal_id')::uuid, p_once ->> 'key', p_once ->> 'operation', p_once ->> 'request_hash')
    on conflict do nothing;
    if not found then
      return (
        select jsonb_build_object('stored',
          jsonb_build_object('operation', operation, 'request_hash', request_hash, 'response', response))
        from idempotency_keys
        where organization_id = p_organization and principal_id = (p_once ->> 'principal_id')::uuid and key = p_once ->> 'key'
      );
    end if;
  end if;

  insert into tasks (organization_id, owner_id, goal, on_failure, priority, metadata, timeout_seconds, deadline_at, subtask_count,
    edge_count)
  select p_organization, p_owner, t.goal, t.on_failure, t.priority, t.metadata, t.timeout_seconds,
    clock_timestamp() + make_interval(secs => t.timeout_seconds), jsonb_array_length(p_subtasks), jsonb_array_length(p_edges)
  from jsonb_to_record(p_task) as t(goal text, on_failure text, priority smallint, metadata jsonb, timeout_seconds int)
  returning task_id into v_task;
  perform queue_subtasks(insert_subtasks(v_task, p_subtasks, p_edges));
  perform record_events(array[(v_task, 'task.submitted', null, 'The task was submitted', null, null, null,
    jsonb_build_object('subtask_count', jsonb_array_length(p_subtasks)), null)::pending_event]);

  select to_jsonb(answer) into v_answer
  from (
    select task_id, goal, status, paused_at is not null as paused, progress, on_failure, priority, run, version, last_seq,
      subtask_count, completed_count, ended_count, metadata, error, owner_id, iso_time(deadline_at) as deadline_at,
      iso_time(created_at) as created_at, iso_time(started_at) as started_at, iso_time(ended_at) as ended_at,
      iso_time(updated_at) as updated_at
    from tasks
    where task_id = v_task
  ) answer;

  if p_once is not null then
    update idempotency_keys
    set response = jsonb_build_object('plain', v_answer)
    where organization_id = p_organization and principal_id = (p_once ->> 'principal_id')::uuid and key = p_once ->> 'key';
  end if;
  return jsonb_build_object('task', v_answer, 'outbox', left_in_outbox());
end
$$;
