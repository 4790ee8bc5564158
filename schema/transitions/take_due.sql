-- Takes the next p_limit outbox rows after p_after that are due, and postpones them: 30 s, doubled with each try, at most an hour.
-- Reads the rows in the order of their ids, so that a sweep that passes the last id to the next call reads each row once, however many are
-- postponed. There is no index on the time: it would slow down each change of state, and rows exist for seconds. Two calls at the same
-- time take different rows.
create or replace function take_due(p_after bigint, p_limit int) returns setof outbox
language sql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
  with due as materialized (
    select outbox_id
    from outbox
    where outbox_id > p_after and available_at <= clock_timestamp()
    order by outbox_id
    limit p_limit
    for update skip locked
  ), taken as (
    update outbox o
    set tries = o.tries + 1,
      available_at = clock_timestamp() + make_interval(secs => least(3600, 30 * 2 ^ least(o.tries, 12)) * (0.5 + random() / 2))
    from due d
    where o.outbox_id = d.outbox_id
    returning o.*
  )
  select * from taken order by outbox_id
$$;
