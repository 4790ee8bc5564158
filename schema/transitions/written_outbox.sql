-- The outbox rows that this transaction has written so far: [{outbox_id, organization_id, topic, payload, delay_ms, request_id}]. They
-- are kept in a setting that ends with the transaction, so that no table is read for them.
create or replace function written_outbox() returns jsonb
language sql stable as $$
  select ('[' || coalesce(current_setting('maw.outbox', true), '') || ']')::jsonb
$$;
