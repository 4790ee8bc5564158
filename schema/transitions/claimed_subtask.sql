-- What a worker receives for a subtask that it has claimed. Results of parents are included up to p_input_bytes in total.
create or replace function claimed_subtask(s subtasks, p_task_goal text, p_lease_ms int, p_input_bytes int) returns jsonb
language plpgsql stable as $$
begin
  return jsonb_build_object(
    'subtask_id', s.subtask_id, 'task_id', s.task_id, 'key', s.key, 'kind', s.kind, 'goal', s.goal, 'task_goal', p_task_goal,
    'tool', s.tool, 'input', s.input, 'labels', s.labels, 'timeout_seconds', s.timeout_seconds,
    'idle_timeout_seconds', s.idle_timeout_seconds, 'first_event_timeout_seconds', s.first_event_timeout_seconds,
    'verify', s.verify, 'result_schema', s.result_schema, 'attempt', s.attempt,
    'lease_token', s.lease_token, 'lease_seconds', p_lease_ms / 1000.0, 'started', s.status = 'running',
    'inputs', case when s.dependencies = '[]' then '{}' else subtask_inputs(s.subtask_id, p_input_bytes) end);
end
$$;
