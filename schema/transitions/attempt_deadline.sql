-- When the server itself ends an attempt that starts now: after the timeout of the subtask and 15 s, in which its worker should have
-- reported the end.
create or replace function attempt_deadline(p_timeout_seconds int) returns timestamptz
language sql volatile as $$
  select clock_timestamp() + make_interval(secs => p_timeout_seconds + 15)
$$;
