-- Completes what workers finished and claims the next subtasks for them, in one transaction: subtasks that the completions make ready can
-- be claimed at once. One worker is a list of one. All workers belong to p_organization, and no worker is listed twice.
-- For each request: its worker, the id of the HTTP request, the id of its claim (null: none), its limit, whether to start, and the
-- window that Redis proposes. For each completion: the position of its request, the fence, and what the worker produced.
-- Locks the rows of claiming workers in the order of their ids, then the tasks in the order of their ids. Where several workers share the
-- call, it fails soon when another transaction holds a lock for long, so that each worker can be served alone.
-- Returns {"results": [{subtask_id, status, task_status} or {subtask_id, error}] in the order of the completions,
-- "claims": [null, {"error"} or {"claimed": [...], "empty_reason"}] in the order of the requests}.
create or replace function complete_and_claim(
  p_organization uuid, p_lease_ms int,
  p_workers uuid[], p_request_ids text[], p_claims uuid[], p_limits int[], p_starts boolean[], p_windows jsonb,
  p_places int[], p_subtasks uuid[], p_tokens uuid[], p_attempts int[], p_results jsonb[], p_bytes int[], p_artifacts uuid[],
  p_usages jsonb[], p_hashes text[]
) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_bitmapscan = off
as $$
declare
  v_is_shared boolean := cardinality(p_workers) > 1;
  v_is_claiming boolean := cardinality(array_remove(p_claims, null)) > 0;
  v_locked uuid[] := '{}';
  v_completed uuid[];
  v_claims jsonb[];
  v_events pending_event[] := '{}';
  v_more pending_event[];
  v_statuses jsonb;
  v_results jsonb := '[]';
begin
  perform set_config('maw.request_id', case when v_is_shared then '' else coalesce(p_request_ids[1], '') end, true);
  if v_is_shared then
    perform set_config('lock_timeout', '250ms', true);
  end if;

  if v_is_claiming then
    perform 1
    from workers w
    where w.worker_id = any (p_workers) and w.organization_id = p_organization
      and p_claims[array_position(p_workers, w.worker_id)] is not null
    order by w.worker_id
    for no key update;
  end if;
  if p_subtasks <> '{}' then
    select c.locked, c.completed, c.events into v_locked, v_completed, v_events
    from complete_subtasks(p_organization, p_workers, p_request_ids, p_places, p_subtasks, p_tokens, p_attempts, p_results, p_bytes,
      p_artifacts, p_usages, p_hashes) c;
  end if;
  if v_is_claiming then
    select c.answers, c.events into v_claims, v_more
    from claim_subtasks(p_organization, p_lease_ms, p_workers, p_request_ids, p_claims, p_limits, p_starts, p_windows, v_locked) c;
  end if;
  v_events := v_events || v_more;
  if v_events <> '{}' then
    v_statuses := record_events(v_events);
  end if;

  if p_subtasks <> '{}' then
    select jsonb_agg(case
      when v_completed[i.item] is not null then jsonb_build_object('subtask_id', i.subtask_id, 'status', 'completed',
        'task_status', v_statuses -> v_completed[i.item]::text)
      else check_completion(p_organization, p_workers[i.place], i.subtask_id, i.lease_token, i.attempt, i.artifact_id, i.hash)
      end order by i.item)
    into v_results
    from unnest(p_places, p_subtasks, p_tokens, p_attempts, p_artifacts, p_hashes) with ordinality
      as i(place, subtask_id, lease_token, attempt, artifact_id, hash, item);
  end if;
  return jsonb_build_object('results', v_results, 'claims', to_jsonb(v_claims));
end
$$;
