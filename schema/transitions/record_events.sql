-- The only writer of a task's status, counters, event numbers and version. Applies events to their tasks, appends them to the activity log
-- and writes one outbox row for each organization. When the last open subtask of a task ends with these events, the task ends with one
-- more event. The caller holds the locks of the tasks. Event numbers come from the locked row, so they have no gaps; counters change
-- together with the events that report the change, so the two cannot differ. Returns the statuses of the tasks by their ids.
create or replace function record_events(p_events pending_event[]) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_statuses jsonb;
  v_rows text;
begin
  with counted as (
    select task_id,
      count(*) as events,
      count(*) filter (where type = 'subtask.completed') as completed,
      count(*) filter (where type in ('subtask.completed', 'subtask.failed', 'subtask.cancelled', 'subtask.skipped')) as ended,
      bool_or(type = 'task.retried') as retried,
      max(case type
        when 'task.started' then 'running' when 'task.retried' then 'running' when 'task.completed' then 'completed'
        when 'task.failed' then 'failed' when 'task.cancelled' then 'cancelled' end) as status,
      (array_agg(data -> 'error') filter (where type = 'task.failed'))[1] as error
    from unnest(p_events)
    group by task_id
  ), changed as (
    select c.task_id, c.events, c.completed, c.ended, c.retried, c.error, last.reached,
      coalesce(case when not last.reached then null when t.completed_count + c.completed = t.subtask_count then 'completed' else 'failed' end,
        c.status)::task_status as status
    from counted c
    join tasks t using (task_id)
    cross join lateral (
      select c.ended > 0 and t.ended_count + c.ended = t.subtask_count and coalesce(c.status, 'running') = 'running' as reached
    ) last
  ), moved as (
    update tasks t
    set last_seq = t.last_seq + c.events + c.reached::int,
      version = t.version + 1,
      updated_at = clock_timestamp(),
      status = coalesce(c.status, t.status),
      run = t.run + c.retried::int,
      completed_count = t.completed_count + c.completed,
      ended_count = case when c.retried then t.completed_count else t.ended_count + c.ended end,
      started_at = case when c.status = 'running' then coalesce(t.started_at, clock_timestamp()) else t.started_at end,
      ended_at = case when c.status = 'running' then null when c.status is not null then clock_timestamp() else t.ended_at end,
      error = case
        when c.status = 'running' then null
        when c.reached and c.status = 'failed' then jsonb_build_object('code', 'subtasks_failed', 'message',
          format('%s of %s subtasks did not complete', t.subtask_count - t.completed_count - c.completed, t.subtask_count))
        else coalesce(c.error, t.error) end
    from changed c
    where t.task_id = c.task_id
    returning t.task_id, t.organization_id, t.run, t.last_seq - c.events - c.reached::int as base, t.last_seq, t.status, t.error,
      c.retried, c.reached
  ), logged as (
    insert into activity_logs (task_id, seq, organization_id, type, level, message, run, subtask_id, attempt, worker_id, data,
      request_id)
    select m.task_id, m.base + row_number() over (partition by m.task_id order by e.place), m.organization_id, e.type,
      coalesce(e.level, 'info'), e.message, m.run, e.subtask_id, e.attempt, e.worker_id, coalesce(e.data, '{}'),
      coalesce(e.request_id, nullif(current_setting('maw.request_id', true), ''))
    from unnest(p_events) with ordinality
      as e(task_id, type, level, message, subtask_id, attempt, worker_id, data, request_id, place)
    join moved m using (task_id)
    union all
    select m.task_id, m.last_seq, m.organization_id, 'task.' || m.status, case m.status when 'completed' then 'info' else 'error' end,
      case m.status when 'completed' then 'The task completed' else 'The task failed: not all of its subtasks completed' end, m.run,
      null, null, null, case m.status when 'completed' then '{}' else jsonb_build_object('error', m.error) end,
      coalesce((select e.request_id from unnest(p_events) e where e.task_id = m.task_id limit 1),
        nullif(current_setting('maw.request_id', true), ''))
    from moved m
    where m.reached
  ), written as (
    insert into outbox (organization_id, topic, payload, available_at)
    select organization_id, 'events', jsonb_build_object('ranges', jsonb_agg(jsonb_build_array(task_id, base + 1, last_seq)))
      || case when bool_and(base = 0 or retried) then '{"opens": true}'::jsonb else '{}' end, clock_timestamp() + outbox_grace()
    from moved
    group by organization_id
    returning jsonb_build_object('outbox_id', outbox_id, 'organization_id', organization_id, 'topic', topic, 'payload', payload,
      'delay_ms', 0, 'request_id', nullif(current_setting('maw.request_id', true), ''))::text as outbox_row
  )
  select (select jsonb_object_agg(task_id, status) from moved), (select string_agg(outbox_row, ',') from written)
  into v_statuses, v_rows;
  perform set_config('maw.outbox', concat_ws(',', nullif(current_setting('maw.outbox', true), ''), v_rows), true);
  return v_statuses;
end
$$;
