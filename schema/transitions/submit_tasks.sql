-- Stores tasks of one organization with their DAGs, all or nothing, in one round trip. One task is a list of one.
-- p_submissions: [{request_id, owner_id, task, subtask_count, edge_count, once}]; `place` of the subtasks and edges is a position in
-- it. With `once` ({principal_id, key, operation, request_hash}) a task is stored once for that key: the call waits for a running request
-- with the same key and returns what is stored for it. No key is listed twice.
-- Where several submissions share the call, it fails soon when another transaction holds a lock for long, so that each can be served alone.
-- Returns {"answers": [{task} or {stored}], "outbox"}.
create or replace function submit_tasks(p_organization uuid, p_submissions jsonb, p_subtasks jsonb, p_edges jsonb) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_tasks uuid[];
  v_answers jsonb;
begin
  if jsonb_array_length(p_submissions) > 1 then
    perform set_config('maw.request_id', '', true);
    perform set_config('lock_timeout', '250ms', true);
  else
    perform set_config('maw.request_id', coalesce(p_submissions -> 0 ->> 'request_id', ''), true);
  end if;

  with submission as (
    select (s.value -> 'once' ->> 'principal_id')::uuid as principal_id, s.value -> 'once' ->> 'key' as key,
      s.value -> 'once' as once, s.place
    from jsonb_array_elements(p_submissions) with ordinality as s(value, place)
  ), reserved as (
    insert into idempotency_keys (organization_id, principal_id, key, operation, request_hash)
    select p_organization, s.principal_id, s.key, s.once ->> 'operation', s.once ->> 'request_hash'
    from submission s
    where s.key is not null
    order by s.principal_id, s.key
    on conflict do nothing
    returning principal_id, key
  )
  select array_agg(case when s.key is null or r.key is not null then gen_random_uuid() end order by s.place)
  into v_tasks
  from submission s
  left join reserved r on r.principal_id = s.principal_id and r.key = s.key;

  if cardinality(array_remove(v_tasks, null)) > 0 then
    insert into tasks (task_id, organization_id, owner_id, goal, on_failure, priority, metadata, timeout_seconds, deadline_at,
      subtask_count, edge_count)
    select v_tasks[s.place], p_organization, (s.value ->> 'owner_id')::uuid, t.goal, t.on_failure, t.priority, t.metadata,
      t.timeout_seconds, clock_timestamp() + make_interval(secs => t.timeout_seconds), (s.value ->> 'subtask_count')::int,
      (s.value ->> 'edge_count')::int
    from jsonb_array_elements(p_submissions) with ordinality as s(value, place)
    cross join jsonb_to_record(s.value -> 'task')
      as t(goal text, on_failure text, priority smallint, metadata jsonb, timeout_seconds int)
    where v_tasks[s.place] is not null
    order by s.place;
    perform queue_subtasks(insert_subtasks(v_tasks, p_subtasks, p_edges));
    perform record_events(array(
      select (v_tasks[s.place], 'task.submitted', null, 'The task was submitted', null, null, null,
        jsonb_build_object('subtask_count', s.value -> 'subtask_count'), s.value ->> 'request_id')::pending_event
      from jsonb_array_elements(p_submissions) with ordinality as s(value, place)
      where v_tasks[s.place] is not null
      order by s.place
    ));
  end if;

  with submission as (
    select (s.value -> 'once' ->> 'principal_id')::uuid as principal_id, s.value -> 'once' ->> 'key' as key, s.place
    from jsonb_array_elements(p_submissions) with ordinality as s(value, place)
  ), stored as materialized (
    select s.place, p_organization as organization_id, s.principal_id, s.key, to_jsonb(shown) as task
    from submission s
    cross join lateral (
      select t.task_id, t.goal, t.status, t.paused_at is not null as paused, t.progress, t.on_failure, t.priority, t.run, t.version,
        t.last_seq, t.subtask_count, t.completed_count, t.ended_count, t.metadata, t.error, t.owner_id,
        iso_time(t.deadline_at) as deadline_at, iso_time(t.created_at) as created_at, iso_time(t.started_at) as started_at,
        iso_time(t.ended_at) as ended_at, iso_time(t.updated_at) as updated_at
      from tasks t
      where t.task_id = v_tasks[s.place]
      limit 1
    ) shown
  ), kept as (
    update idempotency_keys k
    set response = jsonb_build_object('plain', s.task)
    from (select * from stored where key is not null) s
    where k.organization_id = s.organization_id and k.principal_id = s.principal_id and k.key = s.key
  )
  select jsonb_agg(case when n.place is not null then jsonb_build_object('task', n.task) else (
    select jsonb_build_object('stored',
      jsonb_build_object('operation', k.operation, 'request_hash', k.request_hash, 'response', k.response))
    from idempotency_keys k
    where k.organization_id = p_organization and k.principal_id = s.principal_id and k.key = s.key
  ) end order by s.place)
  into v_answers
  from submission s
  left join stored n using (place);
  return jsonb_build_object('answers', v_answers, 'outbox', written_outbox());
end
$$;
