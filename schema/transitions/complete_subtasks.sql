-- Completes the subtasks whose lease is current and unblocks their children. A subtask that was claimed and not started is started first.
-- p_places are positions in p_workers and p_request_ids. Items that do not match are skipped; check_completion returns the reason.
-- Locks the tasks in the order of their ids. Returns those tasks, the task of each item that was completed (null for the others), and
-- the events, which the caller records.
create or replace function complete_subtasks(
  p_organization uuid, p_workers uuid[], p_request_ids text[], p_places int[], p_subtasks uuid[], p_tokens uuid[], p_attempts int[],
  p_results jsonb[], p_bytes int[], p_artifacts uuid[], p_usages jsonb[], p_hashes text[],
  out locked uuid[], out completed uuid[], out events pending_event[]
)
language plpgsql as $$
declare
  v_items int[];
  v_tasks uuid[];
  v_done uuid[] := '{}';
  v_requests text[] := '{}';
  v_ready uuid[];
begin
  select array_agg(l.task_id)
  into locked
  from (
    select t.task_id
    from subtasks s
    join tasks t using (task_id)
    where s.subtask_id = any (p_subtasks) and s.organization_id = p_organization
    order by t.task_id
    for no key update of t
  ) l;
  locked := coalesce(locked, '{}');
  completed := array_fill(null::uuid, array[cardinality(p_subtasks)]);

  for try in 1 .. 2 loop
    with done as (
      update subtasks s
      set status = 'completed', ended_at = clock_timestamp(), lease_token = null, error = null,
        result = i.result, result_bytes = i.bytes, result_artifact_id = i.artifact_id
      from unnest(p_places, p_subtasks, p_tokens, p_attempts, p_results, p_bytes, p_artifacts, p_usages, p_hashes) with ordinality
        as i(place, subtask_id, lease_token, attempt, result, bytes, artifact_id, usage, hash, item)
      where s.subtask_id = i.subtask_id and s.lease_token = i.lease_token and s.attempt = i.attempt and s.status = 'running'
        and s.worker_id = p_workers[i.place] and s.organization_id = p_organization
        and (i.artifact_id is null or exists (
          select from artifacts f
          where f.artifact_id = i.artifact_id and f.subtask_id = i.subtask_id and f.attempt = i.attempt and f.status = 'stored'
        ))
      returning s.subtask_id, s.task_id, s.key, s.attempt, s.worker_id, i.item, i.place, i.usage, i.hash
    ), ended as (
      update attempts a
      set status = 'succeeded', ended_at = clock_timestamp(), outcome_hash = d.hash, usage = d.usage
      from done d
      where a.subtask_id = d.subtask_id and a.attempt = d.attempt
    )
    select array_agg(d.item), array_agg(d.task_id), v_done || array_agg(d.subtask_id), v_requests || array_agg(p_request_ids[d.place]),
      events || array_agg((d.task_id, 'subtask.completed', 'info', 'Subtask ' || d.key || ' completed', d.subtask_id, d.attempt,
        d.worker_id, null, p_request_ids[d.place])::pending_event order by d.item)
    into v_items, v_tasks, v_done, v_requests, events
    from done d;
    for n in 1 .. coalesce(cardinality(v_items), 0) loop
      completed[v_items[n]] := v_tasks[n];
    end loop;
    exit when cardinality(v_done) = cardinality(p_subtasks)
      or start_claimed(p_organization, p_workers, p_request_ids, p_places, p_subtasks, p_tokens, p_attempts) = '{}';
  end loop;

  with freed as (
    select e.child_id, count(*)::int as parents, max(p.request_id) as request_id
    from unnest(v_done, v_requests) as p(subtask_id, request_id)
    join subtask_edges e on e.parent_id = p.subtask_id
    group by e.child_id
  ), moved as (
    update subtasks s
    set blocked_by = s.blocked_by - f.parents, status = case when s.blocked_by = f.parents then 'ready' else s.status end
    from freed f
    where s.subtask_id = f.child_id and s.status = 'blocked'
    returning s.subtask_id, s.task_id, s.key, s.position, s.status, f.request_id
  )
  select array_agg(m.subtask_id), events || array_agg((m.task_id, 'subtask.ready', 'info', 'Subtask ' || m.key || ' is ready',
    m.subtask_id, null, null, null, m.request_id)::pending_event order by m.position)
  into v_ready, events
  from moved m
  where m.status = 'ready';
  if v_ready is not null then
    perform queue_subtasks(v_ready);
  end if;
end
$$;
