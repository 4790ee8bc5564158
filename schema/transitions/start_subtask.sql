-- Starts a claimed subtask; one that was already started under the same lease stays as it is. Returns {"error"} or {"status"}.
create or replace function start_subtask(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt int)
returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_code text;
begin
  perform 1 from tasks t where t.task_id = (select s.task_id from subtasks s where s.subtask_id = p_subtask) for no key update;

  v_code := check_fence(p_organization, p_worker, p_subtask, p_token, p_attempt, null, null);
  if v_code is not null then
    return jsonb_build_object('error', case v_code when 'attempt_ended' then 'lease_lost' else v_code end);
  end if;
  perform start_claimed(p_organization, array[p_worker], '{null}', '{1}', array[p_subtask], array[p_token], array[p_attempt]);
  return jsonb_build_object('status', 'running');
end
$$;
