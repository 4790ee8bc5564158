-- Leaves something for outside of Postgres, and notes it for left_in_outbox: what commits is then sent at once by whoever committed it. A
-- relay sends what has not been taken in 10 s after it was due, because then that message is lost.
create or replace function leave_in_outbox(p_organization uuid, p_topic text, p_payload jsonb, p_due timestamptz default null)
returns void
language plpgsql as $$
declare
  v_id bigint;
begin
  insert into outbox (organization_id, topic, payload, available_at)
  values (p_organization, p_topic, p_payload, greatest(p_due, clock_timestamp()) + interval '10 seconds')
  returning outbox_id into v_id;
  perform set_config('maw.outbox', concat_ws(',', nullif(current_setting('maw.outbox', true), ''), v_id), true);
end
$$;
