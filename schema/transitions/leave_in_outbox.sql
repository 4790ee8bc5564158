-- Writes an outbox row and remembers it for left_in_outbox: after the commit, the caller sends it at once. A relay sends what nobody has received
-- 10 s after it was due, because then that message is lost.
create or replace function leave_in_outbox(p_organization uuid, p_topic text, p_payload jsonb, p_due timestamptz default null)
returns void
language plpgsql as $$
declare
  v_row text;
begin
  insert into outbox (organization_id, topic, payload, available_at)
  values (p_organization, p_topic, p_payload, greatest(p_due, clock_timestamp()) + interval '10 seconds')
  returning jsonb_build_object('outbox_id', outbox_id, 'organization_id', organization_id, 'topic', topic, 'payload', payload,
    'delay_ms', (extract(epoch from available_at - created_at) * 1000)::int - 10000,
    'request_id', nullif(current_setting('maw.request_id', true), ''))::text into v_row;
  perform set_config('maw.outbox', concat_ws(',', nullif(current_setting('maw.outbox', true), ''), v_row), true);
end
$$;
