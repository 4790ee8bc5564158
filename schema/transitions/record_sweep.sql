-- Notes that somebody looks after what is overdue; answers whether attempts may be ended for it. They may not for p_grace_ms after the
-- platform was away for longer than p_outage_ms, or had never looked before, if somebody holds a lease from before: nobody could renew it,
-- or tell a result. Between two such times there is a look at least, so that sweeps that come late do not keep dead workers' work for ever.
create or replace function record_sweep(p_outage_ms int, p_grace_ms int) returns boolean
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_waits_until timestamptz;
begin
  -- The clock was set back: no lease is longer than a lease from now on.
  if exists (select from sweeps where swept_at > clock_timestamp()) then
    update attempts
    set lease_expires_at = clock_timestamp() + make_interval(secs => p_grace_ms / 1000.0)
    where ended_at is null and lease_expires_at > clock_timestamp() + make_interval(secs => p_grace_ms / 1000.0);
  end if;

  update sweeps w
  set swept_at = clock_timestamp(),
    waits_until = case
      when coalesce(w.swept_at, '-infinity') < clock_timestamp() - make_interval(secs => p_outage_ms / 1000.0)
        and (w.waits_until is null or w.waits_until < w.swept_at)
        and exists (select from attempts a where a.ended_at is null and a.claimed_at < clock_timestamp() - make_interval(secs => p_outage_ms / 1000.0))
      then clock_timestamp() + make_interval(secs => p_grace_ms / 1000.0)
      when w.waits_until is not null then least(w.waits_until, clock_timestamp() + make_interval(secs => p_grace_ms / 1000.0))
    end
  returning w.waits_until into v_waits_until;
  return coalesce(v_waits_until < clock_timestamp(), true);
end
$$;
