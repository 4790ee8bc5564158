-- The outputs of a subtask's parents by their keys. Results are included up to p_bytes in total; the worker fetches the others one by one.
create or replace function subtask_inputs(p_subtask uuid, p_bytes int) returns jsonb
language plpgsql stable as $$
begin
  return (select coalesce(jsonb_object_agg(p.key, jsonb_build_object(
    'subtask_id', p.subtask_id, 'status', p.status, 'result_artifact_id', p.result_artifact_id,
    'included', p.bytes_so_far <= p_bytes,
    'result', case when p.bytes_so_far <= p_bytes then p.result end
  )), '{}')
  from (
    select s.*, sum(s.result_bytes) over (order by s.position) as bytes_so_far
    from subtask_edges e
    join subtasks s on s.subtask_id = e.parent_id
    where e.child_id = p_subtask
  ) p);
end
$$;
