-- What this transaction has left in the outbox so far: [{outbox_id, organization_id, topic, payload, delay_ms, request_id}]. The ids stand in a setting
-- that ends with the transaction.
create or replace function left_in_outbox() returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_ids bigint[] := string_to_array(nullif(current_setting('maw.outbox', true), ''), ',');
begin
  return coalesce((
    select jsonb_agg(jsonb_build_object('outbox_id', outbox_id, 'organization_id', organization_id, 'topic', topic, 'payload', payload,
      'delay_ms', (extract(epoch from available_at - created_at) * 1000)::int - 10000,
      'request_id', nullif(current_setting('maw.request_id', true), '')) order by outbox_id)
    from outbox
    where outbox_id = any (v_ids)
  ), '[]');
end
$$;
