-- The wait before attempt number p_failures + 1: the base doubled for each failure, at most max_ms, with jitter: between half of it and all.
create or replace function retry_delay_ms(p_retry jsonb, p_failures int) returns double precision
language sql volatile as $$
  select least((p_retry ->> 'max_ms')::float8, (p_retry ->> 'base_ms')::float8 * 2 ^ least(p_failures - 1, 30)) * (0.5 + random() / 2)
$$;
