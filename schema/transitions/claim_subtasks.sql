-- Leases up to p_limit ready subtasks to a worker. Waits for no lock but the worker's own row: what others hold is
-- skipped. With p_start, what belongs to a task that nobody has locked just now is started too; waiting for the task here,
-- with subtasks locked, would be the wrong order. Answers {"error"} or {"claimed": [...], "empty_reason"}.
create or replace function claim_subtasks(
  p_organization uuid, p_worker uuid, p_request uuid, p_limit int, p_start boolean, p_lease_ms int
) returns jsonb
language plpgsql as $$
declare
  w workers;
  v_free int;
  v_ids uuid[];
  v_startable uuid[];
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
    -- The answer to this request was lost: the same again, with a fresh lease.
    update attempts
    set lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
    where worker_id = p_worker and ended_at is null and claim_request_id = p_request;
  elsif w.mode <> 'active' then
    return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'worker_' || w.mode);
  elsif v_free <= 0 then
    return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'no_free_slot');
  else
    with candidates as materialized (
      select c.*
      from jsonb_array_elements_text(w.tools) as offered(tool)
      cross join lateral (
        select s.subtask_id, s.priority, s.turn, s.created_at
        from subtasks s
        where s.organization_id = p_organization and s.tool = offered.tool and s.status = 'ready' and not s.paused
          and (s.run_after is null or s.run_after <= clock_timestamp())
          and s.labels <@ w.labels
          and (w.owner_ids is null or s.owner_id = any (w.owner_ids))
        order by s.priority desc, s.turn, s.created_at
        limit least(p_limit, v_free)
        for no key update skip locked
      ) c
    ), chosen as (
      select subtask_id from candidates order by priority desc, turn, created_at limit least(p_limit, v_free)
    ), leased as (
      update subtasks s
      set status = 'claimed', attempt = s.attempt + 1, lease_token = gen_random_uuid(), worker_id = p_worker, run_after = null
      from chosen c
      where s.subtask_id = c.subtask_id
      returning s.subtask_id, s.task_id, s.attempt, s.lease_token
    ), opened as (
      insert into attempts (subtask_id, attempt, task_id, worker_id, run, claim_request_id, status, lease_token, lease_expires_at)
      select l.subtask_id, l.attempt, l.task_id, p_worker, t.run, p_request, 'claimed', l.lease_token,
        clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0)
      from leased l
      join tasks t using (task_id)
    )
    select array_agg(subtask_id) into v_ids from leased;

    if v_ids is null then
      return jsonb_build_object('claimed', '[]'::jsonb, 'empty_reason', 'nothing_ready');
    end if;

    with given as (
      select tool, priority, max(turn) as turn from subtasks where subtask_id = any (v_ids) group by tool, priority
    ), behind as (
      select c.tool, c.priority, g.turn
      from queue_clocks c
      join given g using (tool, priority)
      where c.organization_id = p_organization and c.turn < g.turn
      for no key update of c skip locked
    )
    update queue_clocks c
    set turn = b.turn
    from behind b
    where c.organization_id = p_organization and c.tool = b.tool and c.priority = b.priority;
  end if;

  if p_start then
    with free as (
      select t.task_id
      from tasks t
      where t.task_id in (select s.task_id from subtasks s where s.subtask_id = any (v_ids) and s.status = 'claimed')
      order by t.task_id
      for no key update skip locked
    )
    select array_agg(s.subtask_id) into v_startable
    from subtasks s
    join free using (task_id)
    where s.subtask_id = any (v_ids) and s.status = 'claimed';
    if v_startable is not null then
      perform start_locked(v_startable);
    end if;
  end if;

  select jsonb_agg(jsonb_build_object(
    'subtask_id', s.subtask_id, 'task_id', s.task_id, 'key', s.key, 'kind', s.kind, 'goal', s.goal, 'task_goal', t.goal,
    'tool', s.tool, 'input', s.input, 'labels', s.labels, 'timeout_seconds', s.timeout_seconds, 'attempt', s.attempt,
    'lease_token', s.lease_token, 'lease_seconds', p_lease_ms / 1000.0, 'started', s.status = 'running',
    'inputs', subtask_inputs(s.subtask_id)
  ) order by s.priority desc, s.turn, s.created_at)
  into v_claimed
  from subtasks s
  join tasks t using (task_id)
  where s.subtask_id = any (v_ids);
  return jsonb_build_object('claimed', v_claimed, 'empty_reason', null);
end
$$;
