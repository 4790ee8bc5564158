-- A worker ends its attempt without a result (p_outcome: failed or released). A repeated call gets the same answer.
-- Returns {"error"} or {"status", "task_status"}.
create or replace function fail_subtask(
  p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt int,
  p_outcome text, p_class text, p_message text, p_usage jsonb, p_hash text
) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_outcome text := p_outcome;
  v_code text;
begin
  perform 1 from tasks t where t.task_id = (select s.task_id from subtasks s where s.subtask_id = p_subtask) for no key update;

  if p_class = 'timed_out' and exists (
    select from attempts where subtask_id = p_subtask and attempt = p_attempt and started_at is not null
  ) then
    v_outcome := 'timed_out';
  end if;
  v_code := check_fence(p_organization, p_worker, p_subtask, p_token, p_attempt, v_outcome, p_hash);
  if v_code is null then
    perform end_attempt(p_subtask, v_outcome, p_class, p_message, p_usage, p_hash);
  elsif v_code <> 'repeated' then
    return jsonb_build_object('error', v_code);
  end if;
  return (
    select jsonb_build_object('status', s.status, 'task_status', t.status)
    from subtasks s join tasks t using (task_id)
    where s.subtask_id = p_subtask
  );
end
$$;
