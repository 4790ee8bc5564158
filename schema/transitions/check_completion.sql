-- The answer to a completion that complete_subtasks skipped: {"subtask_id", "error"}, or the earlier answer when the same
-- completion was already accepted. The caller holds the lock of its task.
create or replace function check_completion(
  p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt int, p_artifact uuid, p_hash text
) returns jsonb
language plpgsql stable as $$
declare
  v_code text := check_fence(p_organization, p_worker, p_subtask, p_token, p_attempt, 'succeeded', p_hash);
  v_artifact text;
begin
  if v_code = 'repeated' then
    return (
      select jsonb_build_object('subtask_id', s.subtask_id, 'status', 'completed', 'task_status', t.status)
      from subtasks s join tasks t using (task_id)
      where s.subtask_id = p_subtask
    );
  elsif v_code is null then
    select f.status into v_artifact
    from artifacts f
    where f.artifact_id = p_artifact and f.subtask_id = p_subtask and f.attempt = p_attempt;
    v_code := case when v_artifact is null then 'artifact_not_found' else 'artifact_not_stored' end;
  end if;
  return jsonb_build_object('subtask_id', p_subtask, 'error', v_code);
end
$$;
