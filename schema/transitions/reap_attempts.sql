-- Ends attempts whose lease expired or that took too long, at most p_limit; returns their number. Two calls at the same time do no harm.
create or replace function reap_attempts(p_limit int) returns int
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_due uuid[];
  v_tasks uuid[];
  a attempts;
  v_count int := 0;
begin
  select array_agg(subtask_id), array_agg(distinct task_id) into v_due, v_tasks
  from (
    select subtask_id, task_id
    from attempts
    where ended_at is null and (lease_expires_at < clock_timestamp() or deadline_at < clock_timestamp())
    limit p_limit
  ) due;
  if v_due is null then
    return 0;
  end if;

  perform 1
  from tasks
  where task_id = any (v_tasks)
  order by task_id
  for no key update;

  for a in
    select * from attempts where subtask_id = any (v_due) and ended_at is null order by subtask_id for no key update
  loop
    if not exists (select from attempts where subtask_id = a.subtask_id and attempt = a.attempt and ended_at is null) then
      continue; -- cancelled when another subtask failed in this loop
    elsif a.deadline_at < clock_timestamp() and a.status = 'claimed' then
      perform end_attempt(a.subtask_id, 'lost', 'lost', 'its worker did not start it in time', null, null);
    elsif a.deadline_at < clock_timestamp() then
      perform end_attempt(a.subtask_id, 'timed_out', 'timed_out', 'it exceeded its timeout_seconds', null, null);
    elsif a.lease_expires_at < clock_timestamp() then
      perform end_attempt(a.subtask_id, 'lost', 'lost', 'its worker did not renew the lease', null, null);
    else
      continue;
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
