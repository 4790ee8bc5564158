-- The answer to a repeated claim, whose first answer was lost: the same subtasks with renewed leases, except those that are currently
-- being ended. Waits for no lock.
create or replace function renew_claim(p_worker uuid, p_claim uuid, p_lease_ms int) returns jsonb
language plpgsql as $$
declare
  v_ids uuid[];
begin
  with free as (
    select a.subtask_id, a.attempt
    from attempts a
    where a.worker_id = p_worker and a.ended_at is null and a.claim_request_id = p_claim
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
    return '{"claimed": [], "empty_reason": "nothing_ready"}';
  end if;
  return (
    select jsonb_build_object('empty_reason', null,
      'claimed', jsonb_agg(claimed_subtask(s, t.goal, p_lease_ms, least(262144, 1048576 / cardinality(v_ids)))))
    from subtasks s
    join tasks t using (task_id)
    where s.subtask_id = any (v_ids)
  );
end
$$;
