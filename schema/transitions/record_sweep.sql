-- Records that a sweep is running and returns whether it may end overdue attempts. It may not for p_grace_ms after an outage: when the
-- last sweep is more than p_outage_ms ago, or there was none, and a lease is older than that, since no worker could renew its lease or
-- report a result in that time. At least one sweep between two such waits may end attempts, so that sweeps that are always late do not
-- keep the subtasks of dead workers forever.
create or replace function record_sweep(p_outage_ms int, p_grace_ms int) returns boolean
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_waits_until timestamptz;
begin
  -- The clock was set back: no lease may last longer than p_grace_ms from now.
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
