-- Starts a claimed subtask; started already under the same lease, it changes nothing. Answers {"error"} or {"status"}.
create or replace function start_subtask(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt int)
returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_code text;
  v_timeout int;
begin
  perform 1 from tasks t where t.task_id = (select s.task_id from subtasks s where s.subtask_id = p_subtask) for no key update;

  v_code := judge_fence(p_organization, p_worker, p_subtask, p_token, p_attempt, null, null);
  if v_code is not null then
    return jsonb_build_object('error', case v_code when 'attempt_ended' then 'lease_lost' else v_code end);
  end if;

  update subtasks
  set status = 'running', started_at = coalesce(started_at, clock_timestamp())
  where subtask_id = p_subtask and status = 'claimed'
  returning timeout_seconds into v_timeout;
  if found then
    update attempts
    set status = 'running', started_at = clock_timestamp(), deadline_at = attempt_deadline(v_timeout)
    where subtask_id = p_subtask and attempt = p_attempt;
    perform record_starts(array[p_subtask]);
  end if;
  return jsonb_build_object('status', 'running');
end
$$;
