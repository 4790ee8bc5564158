-- Leases ready subtasks to workers whose rows the caller has locked. Waits for no other lock: rows that others have locked are skipped. A
-- request with a claim takes up to its limit. With p_starts, subtasks are started too if their task is locked already (p_locked) or free:
-- waiting for the lock of the task here, with queue entries locked, would break the lock order.
-- p_windows: for each request the ids that Redis proposes, or null. Without them, or where they do not suffice, the whole queue is
-- searched. One search serves all workers that may take the same subtasks.
-- One answer stays below 5 MB, because Lambda allows 6 MB: fewer subtasks are leased when goals and inputs are long, and the outputs of
-- parents share 1 MiB. A subtask that is not started within 5 minutes is lost.
-- Returns an answer for each request with a claim, {"error"} or {"claimed": [...], "empty_reason"}, and the events, which the caller
-- records.
create or replace function claim_subtasks(
  p_organization uuid, p_lease_ms int, p_workers uuid[], p_request_ids text[], p_claims uuid[], p_limits int[], p_starts boolean[],
  p_windows jsonb, p_locked uuid[], out answers jsonb[], out events pending_event[]
)
language plpgsql as $$
declare
  g record;
  picked record;
  v_window uuid[];
  v_ids uuid[] := '{}';
  v_places int[] := '{}';
  v_tasks uuid[] := '{}';
  v_tools text[] := '{}';
  v_priorities smallint[] := '{}';
  v_turns bigint[] := '{}';
  v_next int;
  v_count int;
  v_bytes bigint;
  v_startable uuid[] := p_locked;
  v_given int[];
  v_claimed jsonb[];
begin
  answers := array_fill(null::jsonb, array[cardinality(p_workers)]);

  for g in
    select a.answer, a.tools, a.labels, a.owner_ids, array_agg(a.place order by a.place) as places,
      array_agg(a.want order by a.place) as wants, sum(a.want)::int as total
    from (
      select c.place::int as place, least(c.max, w.slots - open.held) as want, w.tools, w.labels, w.owner_ids,
        case
          when w.worker_id is null then '{"error": "worker_revoked"}'
          when open.repeated then '{"error": "repeated"}'
          when w.mode <> 'active' then format('{"claimed": [], "empty_reason": "worker_%s"}', w.mode)
          when open.held >= w.slots then '{"claimed": [], "empty_reason": "no_free_slot"}'
        end::jsonb as answer
      from unnest(p_workers, p_claims, p_limits) with ordinality as c(worker_id, claim, max, place)
      left join workers w on w.worker_id = c.worker_id and w.organization_id = p_organization and w.deleted_at is null
      cross join lateral (
        select count(*)::int as held, coalesce(bool_or(o.claim_request_id = c.claim), false) as repeated
        from attempts o
        where o.worker_id = c.worker_id and o.ended_at is null
      ) open
      where c.claim is not null
    ) a
    group by a.answer, a.tools, a.labels, a.owner_ids
  loop
    for i in 1 .. cardinality(g.places) loop
      answers[g.places[i]] := case
        when g.answer is null then '{"claimed": [], "empty_reason": "nothing_ready"}'
        when g.answer ->> 'error' = 'repeated' then renew_claim(p_workers[g.places[i]], p_claims[g.places[i]], p_lease_ms)
        else g.answer end;
    end loop;
    continue when g.answer is not null;

    select case when bool_and(jsonb_typeof(w.ids) = 'array') then array_agg(distinct id.value::uuid) filter (where id.value is not null) end
    into v_window
    from unnest(g.places) as place
    cross join lateral (select p_windows -> (place - 1) as ids) w
    left join lateral jsonb_array_elements_text(case jsonb_typeof(w.ids) when 'array' then w.ids end) as id(value) on true;
    select * into picked
    from pick_ready(p_organization, g.tools, g.labels, g.owner_ids, g.total, v_window, v_ids);
    if v_window is not null and cardinality(picked.ids) < cardinality(g.places) then
      select r.ids || picked.ids as ids, r.tasks || picked.tasks as tasks, r.bytes || picked.bytes as bytes, r.tools || picked.tools as tools,
        r.priorities || picked.priorities as priorities, r.turns || picked.turns as turns
      into picked
      from pick_ready(p_organization, g.tools, g.labels, g.owner_ids, g.total - cardinality(picked.ids), null, v_ids || picked.ids) r;
    end if;

    v_next := 1;
    for i in 1 .. cardinality(g.places) loop
      v_bytes := 0;
      v_count := 0;
      while v_count < g.wants[i] and v_next <= cardinality(picked.ids) loop
        v_bytes := v_bytes + coalesce(picked.bytes[v_next], 0);
        exit when v_bytes > 3000000 and v_count > 0;
        v_places := v_places || g.places[i];
        v_next := v_next + 1;
        v_count := v_count + 1;
      end loop;
    end loop;
    v_ids := v_ids || picked.ids[:v_next - 1];
    v_tasks := v_tasks || picked.tasks[:v_next - 1];
    v_tools := v_tools || picked.tools[:v_next - 1];
    v_priorities := v_priorities || picked.priorities[:v_next - 1];
    v_turns := v_turns || picked.turns[:v_next - 1];
  end loop;
  if v_ids = '{}' then
    return;
  end if;

  if true = any (p_starts) and not v_tasks <@ p_locked then
    select p_locked || array_agg(free.task_id) into v_startable
    from (
      select t.task_id from tasks t where t.task_id = any (v_tasks) and t.task_id <> all (p_locked) for no key update skip locked
    ) free;
  end if;

  with taken as (
    delete from queue_entries where subtask_id = any (v_ids)
  ), leased as (
    update subtasks s
    set status = case when p_starts[c.place] and s.task_id = any (v_startable) then 'running' else 'claimed' end,
      started_at = case when p_starts[c.place] and s.task_id = any (v_startable) then coalesce(s.started_at, clock_timestamp())
        else s.started_at end,
      attempt = s.attempt + 1, lease_token = gen_random_uuid(), worker_id = p_workers[c.place], run_after = null
    from unnest(v_ids, v_places) with ordinality as c(subtask_id, place, turn), tasks t
    where s.subtask_id = c.subtask_id and s.status = 'ready' and t.task_id = s.task_id
    returning s as subtask, s.subtask_id, s.task_id, s.key, s.attempt, s.worker_id, s.lease_token, s.status, s.timeout_seconds,
      t.run, t.goal, t.status as task_status, c.place, c.turn
  ), opened as (
    insert into attempts (subtask_id, attempt, organization_id, task_id, worker_id, run, claim_request_id, lease_token,
      lease_expires_at, status, started_at, deadline_at)
    select l.subtask_id, l.attempt, p_organization, l.task_id, l.worker_id, l.run, p_claims[l.place], l.lease_token,
      clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0), l.status,
      case when l.status = 'running' then clock_timestamp() end,
      attempt_deadline(case when l.status = 'running' then l.timeout_seconds else 300 end)
    from leased l
  ), answered as (
    select l.place, jsonb_agg(claimed_subtask(l.subtask, l.goal, p_lease_ms, least(262144, 1048576 / l.together)::int) order by l.turn) as claimed
    from (select l.*, count(*) over (partition by l.place) as together from leased l) l
    group by l.place
  ), first_of_task as (
    select l.task_id, min(l.place) as place
    from leased l
    where l.status = 'running' and l.task_status = 'pending'
    group by l.task_id
  )
  select
    (select array_agg((f.task_id, 'task.started', 'info', 'The task started', null, null, null, null, p_request_ids[f.place])::pending_event)
      from first_of_task f)
    || array_agg((l.task_id, 'subtask.started', 'info', 'Subtask ' || l.key || ' started', l.subtask_id, l.attempt, l.worker_id,
      null, p_request_ids[l.place])::pending_event order by l.turn) filter (where l.status = 'running'),
    (select array_agg(a.place order by a.place) from answered a), (select array_agg(a.claimed order by a.place) from answered a)
  into events, v_given, v_claimed
  from leased l;
  for i in 1 .. coalesce(cardinality(v_given), 0) loop
    answers[v_given[i]] := jsonb_build_object('claimed', v_claimed[i], 'empty_reason', null);
  end loop;

  update queue_clocks k
  set turn = behind.turn
  from (
    select c.tool, c.priority, given.turn
    from (
      select p.tool, p.priority, max(p.turn) as turn
      from unnest(v_tools, v_priorities, v_turns) as p(tool, priority, turn)
      group by p.tool, p.priority
    ) given
    join queue_clocks c on c.organization_id = p_organization and c.tool = given.tool and c.priority = given.priority
    where c.turn < given.turn
    for no key update of c skip locked
  ) behind
  where k.organization_id = p_organization and k.tool = behind.tool and k.priority = behind.priority;
end
$$;
