-- Makes subtasks ready and gives each its turn in the queue of its organization, tool and priority. An owner's next
-- turn follows the last one that the owner has waiting, and never lies before the queue's clock (the turn given out
-- last): owners take turns, and who was away has saved up none. Two transactions of one owner may give the same turn
-- twice, which is unfair by one. The caller holds the locks of the tasks.
create or replace function enqueue_subtasks(p_subtasks uuid[]) returns void
language plpgsql as $$
begin
  insert into queue_clocks (organization_id, tool, priority)
  select distinct s.organization_id, s.tool, s.priority
  from subtasks s
  left join queue_clocks c using (organization_id, tool, priority)
  where s.subtask_id = any (p_subtasks) and c.tool is null
  order by 1, 2, 3
  on conflict do nothing;

  update subtasks s
  set status = 'ready', blocked_by = 0, turn = q.turn
  from (
    select s.subtask_id,
      greatest(c.turn, own.turn) + row_number() over (
        partition by s.organization_id, s.tool, s.priority, s.owner_id order by s.created_at, s.position
      ) as turn
    from subtasks s
    join queue_clocks c using (organization_id, tool, priority)
    left join lateral (
      select max(o.turn) as turn
      from subtasks o
      where o.organization_id = s.organization_id and o.tool = s.tool and o.priority = s.priority
        and o.owner_id = s.owner_id and o.status = 'ready'
    ) own on true
    where s.subtask_id = any (p_subtasks)
  ) q
  where s.subtask_id = q.subtask_id;
end
$$;
