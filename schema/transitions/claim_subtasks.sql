-- Leases up to p_limit ready subtasks to a worker. Waits for no lock but the worker's own row: what others hold is
-- skipped. With p_start, what belongs to a task that nobody has locked just now is started too; waiting for the task here,
-- with queue entries locked, would be the wrong order. The settings make it walk the queue in its order and stop at the limit; left to
-- itself the planner sorts the whole queue at each claim. p_window is what Redis proposes; where none of it fits, or without one, all that
-- is ready is looked at. An answer stays below 5 MB, for Lambda lets 6 MB through: fewer are given out when their goals and inputs are
-- long, and outputs of parents share 1 MiB. What is not started within 5 minutes is lost. Answers {"error"} or {"claimed": [...], "empty_reason"}.
create or replace function claim_subtasks(
  p_organization uuid, p_worker uuid, p_request uuid, p_limit int, p_start boolean, p_lease_ms int, p_window uuid[] default null
) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_sort = off set enable_bitmapscan = off
as $$
declare
  w workers;
  v_free int;
  v_ids uuid[];
  v_started uuid[];
  v_claimed jsonb;
begin
  select * into w
  from workers
  where worker_id = p_worker and organization_id = p_organization and deleted_at is null
  for no key update;
  if not found then
    return jsonb_build_object('error', 'worker_revoked');
  end if;

  select w.slots - count(*), array_agg(a.subtask_id) filter (where a.claim_request_id = p_request)
  into v_free, v_ids
  from attempts a
  where a.worker_id = p_worker and a.ended_at is null;

  if v_ids is not null then
    -- The answer to this request was lost: the same again, with a fresh lease, but for what somebody is ending just now.
    with free as (
      select a.subtask_id, a.attempt
      from attempts a
      where a.worker_id = p_worker and a.ended_at is null and a.claim_request_id = p_request
      for no key update skip locked
    ), renewed as (
      update attempts a
      set lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
      from free f
      where a.subtask_id = f.subtask_id and a.attempt = f.attempt
      returning a.subtask_id
    )
    select array_agg(subtask_id) into v_ids from renewed;
    if v_ids is null then
      return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'nothing_ready');
    end if;
  elsif w.mode <> 'active' then
    return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'worker_' || w.mode);
  elsif v_free <= 0 then
    return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'no_free_slot');
  else
    loop
      with candidates as materialized (
        select c.*
        from jsonb_array_elements_text(w.tools) as offered(tool)
        cross join lateral (
          select q.subtask_id, s.task_id, q.tool, q.priority, q.turn, q.created_at, octet_length(s.goal) + octet_length(s.input::text) as bytes
          from queue_entries q
          join subtasks s using (subtask_id)
          where q.organization_id = p_organization and q.tool = offered.tool and not q.paused
            and (q.run_after is null or q.run_after <= clock_timestamp())
            and q.labels <@ w.labels
            and (w.owner_ids is null or q.owner_id = any (w.owner_ids))
            and (p_window is null or q.subtask_id = any (p_window))
          order by q.priority desc, q.turn, q.created_at
          limit least(p_limit, v_free)
          for update of q skip locked
          for no key update of s skip locked
        ) c
      ), chosen as materialized (
        select ranked.*
        from (
          select c.*, sum(c.bytes + octet_length(t.goal)) over (order by c.priority desc, c.turn, c.created_at, c.subtask_id) as bytes_so_far
          from candidates c
          join tasks t using (task_id)
          order by c.priority desc, c.turn, c.created_at, c.subtask_id
          limit least(p_limit, v_free)
        ) ranked
        where ranked.bytes_so_far <= 3000000
      ), startable as materialized (
        select t.task_id
        from tasks t
        where p_start and t.task_id in (select c.task_id from chosen c)
        order by t.task_id
        for no key update skip locked
      ), taken as (
        delete from queue_entries q using chosen c where q.subtask_id = c.subtask_id
      ), leased as (
        update subtasks s
        set status = case when t.task_id is null then 'claimed' else 'running' end,
          started_at = case when t.task_id is null then s.started_at else coalesce(s.started_at, clock_timestamp()) end,
          attempt = s.attempt + 1, lease_token = gen_random_uuid(), worker_id = p_worker, run_after = null
        from chosen c
        left join startable t using (task_id)
        where s.subtask_id = c.subtask_id and s.status = 'ready'
        returning s.*, c.priority, c.turn
      ), opened as (
        insert into attempts (subtask_id, attempt, organization_id, task_id, worker_id, run, claim_request_id, lease_token,
          lease_expires_at, status, started_at, deadline_at)
        select l.subtask_id, l.attempt, p_organization, l.task_id, p_worker, t.run, p_request, l.lease_token,
          clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0), l.status,
          case when l.status = 'running' then clock_timestamp() end,
          attempt_deadline(case when l.status = 'running' then l.timeout_seconds else 300 end)
        from leased l
        join tasks t using (task_id)
      ), behind as materialized (
        select k.tool, k.priority, g.turn
        from queue_clocks k
        join (select tool, priority, max(turn) as turn from chosen group by tool, priority) g using (tool, priority)
        where k.organization_id = p_organization and k.turn < g.turn
        for no key update of k skip locked
      ), moved as (
        update queue_clocks k
        set turn = b.turn
        from behind b
        where k.organization_id = p_organization and k.tool = b.tool and k.priority = b.priority
      )
      select array_agg(subtask_id order by priority desc, turn, created_at),
        array_agg(subtask_id order by priority desc, turn, created_at) filter (where status = 'running')
      into v_ids, v_started
      from leased;
      exit when v_ids is not null or p_window is null;
      p_window := null;
    end loop;

    if v_ids is null then
      return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'nothing_ready');
    elsif v_started is not null then
      perform record_starts(v_started);
    end if;
  end if;

  select jsonb_agg(jsonb_build_object(
    'subtask_id', s.subtask_id, 'task_id', s.task_id, 'key', s.key, 'kind', s.kind, 'goal', s.goal, 'task_goal', t.goal,
    'tool', s.tool, 'input', s.input, 'labels', s.labels, 'timeout_seconds', s.timeout_seconds,
    'idle_timeout_seconds', s.idle_timeout_seconds, 'first_event_timeout_seconds', s.first_event_timeout_seconds,
    'verify', s.verify, 'result_schema', s.result_schema, 'attempt', s.attempt,
    'lease_token', s.lease_token, 'lease_seconds', p_lease_ms / 1000.0, 'started', s.status = 'running',
    'inputs', subtask_inputs(s.subtask_id, least(262144, 1048576 / cardinality(v_ids)))
  ) order by array_position(v_ids, s.subtask_id))
  into v_claimed
  from subtasks s
  join tasks t using (task_id)
  where s.subtask_id = any (v_ids);
  return jsonb_build_object('claimed', v_claimed, 'empty_reason', null);
end
$$;
