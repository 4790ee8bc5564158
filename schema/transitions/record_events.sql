-- The only writer of a task's status, counters, event numbers and version: applies events to their tasks and
-- appends them to the activity log, and leaves word of them in the outbox. The caller holds the locks of those tasks. Numbers come from the locked row,
-- so they have no gaps; counters move with the events that say so, so the two can't differ.
create or replace function record_events(p_events task_event[]) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_left record;
begin
  with numbered as (
    select e.*, row_number() over (partition by e.task_id order by e.place) as n
    from unnest(p_events) with ordinality as e(task_id, type, level, message, subtask_id, attempt, worker_id, data, place)
  ), counted as (
    select task_id,
      count(*) as events,
      count(*) filter (where type = 'subtask.completed') as completed,
      count(*) filter (where type in ('subtask.completed', 'subtask.failed', 'subtask.cancelled', 'subtask.skipped')) as ended,
      bool_or(type = 'task.retried') as retried,
      max(case type
        when 'task.started' then 'running' when 'task.retried' then 'running' when 'task.completed' then 'completed'
        when 'task.failed' then 'failed' when 'task.cancelled' then 'cancelled' end) as status,
      (array_agg(data -> 'error') filter (where type = 'task.failed'))[1] as error
    from numbered
    group by task_id
  ), bumped as (
    update tasks t
    set last_seq = t.last_seq + c.events,
      version = t.version + 1,
      updated_at = clock_timestamp(),
      status = coalesce(c.status, t.status),
      run = t.run + c.retried::int,
      completed_count = t.completed_count + c.completed,
      ended_count = case when c.retried then t.completed_count else t.ended_count + c.ended end,
      started_at = case when c.status = 'running' then coalesce(t.started_at, clock_timestamp()) else t.started_at end,
      ended_at = case when c.status = 'running' then null when c.status is not null then clock_timestamp() else t.ended_at end,
      error = case when c.status = 'running' then null else coalesce(c.error, t.error) end
    from counted c
    where t.task_id = c.task_id
    returning t.task_id, t.organization_id, t.run, t.last_seq - c.events as base, t.last_seq, c.retried
  ), logged as (
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id, attempt, worker_id, data,
      request_id)
    select b.task_id, b.base + n.n, b.organization_id, n.type, coalesce(n.level, 'info'), n.message, b.run,
      n.subtask_id, n.attempt, n.worker_id, coalesce(n.data, '{}'), nullif(current_setting('maw.request_id', true), '')
    from numbered n
    join bumped b using (task_id)
  )
  select organization_id, jsonb_build_object('ranges', jsonb_agg(jsonb_build_array(task_id, base + 1, last_seq)))
    || case when bool_and(base = 0 or retried) then '{"opens": true}'::jsonb else '{}' end as payload
  into v_left
  from bumped
  group by organization_id;
  perform leave_in_outbox(v_left.organization_id, 'events', v_left.payload);
end
$$;
