-- Writes an outbox row and adds it to those that written_outbox returns, since the caller sends it right after the commit. It is due at
-- p_due, or now; the relay sends it again if nobody has received it within outbox_grace after that.
create or replace function write_outbox(p_organization uuid, p_topic text, p_payload jsonb, p_due timestamptz default null)
returns void
language plpgsql as $$
declare
  v_now timestamptz := clock_timestamp();
  v_due timestamptz := greatest(p_due, v_now);
  v_row text;
begin
  insert into outbox (organization_id, topic, payload, available_at)
  values (p_organization, p_topic, p_payload, v_due + outbox_grace())
  returning jsonb_build_object('outbox_id', outbox_id, 'organization_id', organization_id, 'topic', topic, 'payload', payload,
    'delay_ms', ceil(extract(epoch from v_due - v_now) * 1000)::int,
    'request_id', nullif(current_setting('maw.request_id', true), ''))::text into v_row;
  perform set_config('maw.outbox', concat_ws(',', nullif(current_setting('maw.outbox', true), ''), v_row), true);
end
$$;
