-- Completes what a worker did and claims the next for it, in one transaction: what the completions released is among what can
-- be claimed. The worker's row is locked first, as the order of locks wants it.
create or replace function complete_and_claim(
  p_organization uuid, p_worker uuid, p_items jsonb, p_request uuid, p_limit int, p_start boolean, p_lease_ms int
) returns jsonb
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  v_results jsonb;
begin
  perform 1 from workers where worker_id = p_worker and organization_id = p_organization for no key update;
  v_results := complete_subtasks(p_organization, p_worker, p_items);
  return jsonb_build_object('results', v_results, 'claim', claim_subtasks(p_organization, p_worker, p_request, p_limit, p_start, p_lease_ms));
end
$$;
