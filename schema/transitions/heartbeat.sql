-- Records that a worker is alive and renews the leases that it lists. Waits for no lock: an attempt that is currently being ended keeps
-- its lease as it is. Losing the latest heartbeats in a crash does no harm, so the commit does not wait for the disk.
-- p_leases: [{subtask_id, lease_token, attempt, progress}].
-- Returns {"error"} or {"mode", "leases": [{subtask_id, attempt, state, left_ms, directive}]}.
create or replace function heartbeat(p_organization uuid, p_worker uuid, p_leases jsonb, p_info jsonb, p_lease_ms int)
returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_mode text;
  v_leases jsonb;
begin
  perform set_config('synchronous_commit', 'off', true);

  update workers w
  set last_seen_at = clock_timestamp(),
    info = coalesce(p_info, w.info),
    agent_version = coalesce(p_info->>'agent_version', w.agent_version),
    status = case when w.slots <= (select count(*) from attempts a where a.worker_id = p_worker and a.ended_at is null)
      then 'busy' else 'online' end
  where w.worker_id = p_worker and w.organization_id = p_organization and w.deleted_at is null
  returning w.mode into v_mode;
  if not found then
    return jsonb_build_object('error', 'worker_revoked');
  end if;

  with named as (
    select * from jsonb_to_recordset(p_leases) as n(subtask_id uuid, lease_token uuid, attempt int, progress jsonb)
  ), free as (
    select a.subtask_id, a.attempt, n.progress
    from attempts a
    join named n using (subtask_id, attempt, lease_token)
    where a.worker_id = p_worker and a.ended_at is null
    for no key update of a skip locked
  )
  update attempts a
  set lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0),
    progress = coalesce(f.progress, a.progress)
  from free f
  where a.subtask_id = f.subtask_id and a.attempt = f.attempt;

  select coalesce(jsonb_agg(jsonb_build_object(
    'subtask_id', n.subtask_id,
    'attempt', n.attempt,
    'state', case when a.subtask_id is not null and a.ended_at is null then 'renewed' else 'lost' end,
    'left_ms', case when a.ended_at is null then greatest(0, extract(epoch from a.lease_expires_at - clock_timestamp()) * 1000)::int end,
    'directive', case when a.status = 'cancelled' then 'cancel' end
  )), '[]')
  into v_leases
  from jsonb_to_recordset(p_leases) as n(subtask_id uuid, lease_token uuid, attempt int)
  left join attempts a on a.subtask_id = n.subtask_id and a.attempt = n.attempt and a.lease_token = n.lease_token
    and a.worker_id = p_worker;
  return jsonb_build_object('mode', v_mode, 'leases', v_leases);
end
$$;
