-- Gives ready subtasks of one organization their turns in the queue of their tool and priority (start-time fair queueing). An owner's next
-- turn follows the owner's last waiting one, and is never before the queue's clock (the turn that was claimed last): owners take turns, and
-- an owner without subtasks saves up no turns. With p_again the subtasks had their turns already and go to the front. Writes outbox rows of
-- at most 1,000 ids. Two transactions of one owner may assign the same turn twice, so one of them may get one turn too many. The caller holds the locks
-- of the tasks.
create or replace function queue_subtasks(p_subtasks uuid[], p_again boolean default false) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_organization uuid;
  v_due timestamptz;
  v_is_new_queue boolean;
begin
  with waiting as materialized (
    select s.subtask_id, s.organization_id, s.owner_id, s.tool, s.labels, t.priority, s.created_at, s.position, s.run_after,
      t.paused_at is not null as paused, c.turn as clock
    from subtasks s
    join tasks t using (task_id)
    left join queue_clocks c on c.organization_id = s.organization_id and c.tool = s.tool and c.priority = t.priority
    where s.subtask_id = any (p_subtasks)
  ), added as (
    insert into queue_entries (subtask_id, organization_id, owner_id, tool, labels, priority, turn, created_at, run_after, paused)
    select w.subtask_id, w.organization_id, w.owner_id, w.tool, w.labels, w.priority,
      case when p_again then coalesce(w.clock, 0) else greatest(w.clock, own.turn, 0) + row_number() over (
        partition by w.tool, w.priority, w.owner_id order by w.created_at, w.position
      ) end,
      w.created_at, w.run_after, w.paused
    from waiting w
    left join lateral (
      select q.turn
      from queue_entries q
      where q.organization_id = w.organization_id and q.tool = w.tool and q.priority = w.priority and q.owner_id = w.owner_id
      order by q.turn desc
      limit 1
    ) own on not p_again
  )
  select (array_agg(organization_id))[1], max(run_after), bool_or(clock is null)
  into v_organization, v_due, v_is_new_queue
  from waiting;

  if v_is_new_queue then
    insert into queue_clocks (organization_id, tool, priority)
    select distinct s.organization_id, s.tool, t.priority
    from subtasks s
    join tasks t using (task_id)
    where s.subtask_id = any (p_subtasks)
    order by 1, 2, 3
    on conflict do nothing;
  end if;
  for place in 1 .. cardinality(p_subtasks) by 1000 loop
    perform write_outbox(v_organization, 'ready', jsonb_build_object('subtask_ids', to_jsonb(p_subtasks[place : place + 999])), v_due);
  end loop;
end
$$;
