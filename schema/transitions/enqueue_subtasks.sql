-- Makes subtasks ready and gives each its turn in the queue of its organization, tool and priority. An owner's next
-- turn follows the last one that the owner waits for, and never lies before the queue's clock (the turn given out last):
-- owners take turns, and who was away has saved up none. With p_again the subtask had its turn already and goes to the front.
-- Leaves word of them in the outbox. Two transactions of one owner may give the same turn twice, which is unfair by one. The caller holds the locks of the tasks.
create or replace function enqueue_subtasks(p_subtasks uuid[], p_again boolean default false) returns void
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
  insert into queue_clocks (organization_id, tool, priority)
  select distinct s.organization_id, s.tool, t.priority
  from subtasks s
  join tasks t using (task_id)
  left join queue_clocks c on c.organization_id = s.organization_id and c.tool = s.tool and c.priority = t.priority
  where s.subtask_id = any (p_subtasks) and c.tool is null
  order by 1, 2, 3
  on conflict do nothing;

  update subtasks
  set status = 'ready', blocked_by = 0
  where subtask_id = any (p_subtasks) and (status <> 'ready' or blocked_by > 0);

  insert into queue_entries (subtask_id, organization_id, owner_id, tool, labels, priority, turn, created_at, run_after, paused)
  select s.subtask_id, s.organization_id, s.owner_id, s.tool, s.labels, t.priority,
    case when p_again then c.turn else greatest(c.turn, own.turn) + row_number() over (
      partition by s.organization_id, s.tool, t.priority, s.owner_id order by s.created_at, s.position
    ) end,
    s.created_at, s.run_after, t.paused_at is not null
  from subtasks s
  join tasks t using (task_id)
  join queue_clocks c on c.organization_id = s.organization_id and c.tool = s.tool and c.priority = t.priority
  left join lateral (
    select max(q.turn) as turn
    from queue_entries q
    where q.organization_id = s.organization_id and q.tool = s.tool and q.priority = t.priority and q.owner_id = s.owner_id
  ) own on not p_again
  where s.subtask_id = any (p_subtasks);

  perform leave_in_outbox(q.organization_id, 'ready', jsonb_build_object('subtask_ids', jsonb_agg(q.subtask_id)),
    max(q.run_after))
  from queue_entries q
  where q.subtask_id = any (p_subtasks)
  group by q.organization_id;
end
$$;
