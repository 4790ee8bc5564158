-- Checks a worker's write to an attempt by its fence; the caller holds the lock of its task. Returns null (the write is current),
-- 'repeated' (the same outcome was recorded before), or the code of the error.
create or replace function check_fence(
  p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt int, p_outcome text, p_hash text
) returns text
language plpgsql stable as $$
begin
  return (select case
    when w.worker_id is null then 'worker_revoked'
    when s.subtask_id is null then 'subtask_not_found'
    when a.subtask_id is null or a.lease_token <> p_token then 'lease_lost'
    when a.status = p_outcome::attempt_status and a.outcome_hash = p_hash then 'repeated'
    when a.outcome_hash is not null then 'attempt_ended'
    when s.lease_token is distinct from p_token or s.attempt <> p_attempt then 'lease_lost'
  end
  from (values (1)) as always
  left join workers w on w.worker_id = p_worker and w.organization_id = p_organization and w.deleted_at is null
  left join subtasks s on s.subtask_id = p_subtask and s.organization_id = p_organization
  left join attempts a on a.subtask_id = s.subtask_id and a.attempt = p_attempt and a.worker_id = p_worker);
end
$$;
