-- Locks and returns the first ready subtasks, in queue order, that workers with these tools, labels and owners may take. Rows that others
-- have locked are skipped, and so is p_taken, which this transaction holds. p_window limits the search to these ids; null searches the
-- whole queue. By itself the planner sorts the whole queue; without sorts it reads the queue in its order and stops at the limit. The bytes
-- of goals and inputs are counted only where several subtasks are picked.
create or replace function pick_ready(
  p_organization uuid, p_tools jsonb, p_labels jsonb, p_owners uuid[], p_limit int, p_window uuid[], p_taken uuid[],
  out ids uuid[], out tasks uuid[], out bytes int[], out tools text[], out priorities smallint[], out turns bigint[]
)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_sort = off set enable_bitmapscan = off set enable_seqscan = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
  if p_window is null then
    select array_agg(c.subtask_id), array_agg(c.task_id), array_agg(c.bytes), array_agg(c.tool), array_agg(c.priority), array_agg(c.turn)
    into ids, tasks, bytes, tools, priorities, turns
    from (
      select c.*
      from jsonb_array_elements_text(p_tools) as offered(tool)
      cross join lateral (
        select q.subtask_id, s.task_id, q.tool, q.priority, q.turn, q.created_at,
          case when p_limit > 1 then octet_length(s.goal) + octet_length(s.input::text)
            + (select octet_length(t.goal) from tasks t where t.task_id = s.task_id) end as bytes
        from queue_entries q
        join subtasks s using (subtask_id)
        where q.organization_id = p_organization and q.tool = offered.tool and not q.paused
          and (q.run_after is null or q.run_after <= clock_timestamp())
          and q.labels <@ p_labels
          and (p_owners is null or q.owner_id = any (p_owners))
          and q.subtask_id <> all (p_taken)
        order by q.priority desc, q.turn, q.created_at
        limit p_limit
        for update of q skip locked
        for no key update of s skip locked
      ) c
      order by c.priority desc, c.turn, c.created_at, c.subtask_id
      limit p_limit
    ) c;
  else
    select array_agg(c.subtask_id), array_agg(c.task_id), array_agg(c.bytes), array_agg(c.tool), array_agg(c.priority), array_agg(c.turn)
    into ids, tasks, bytes, tools, priorities, turns
    from (
      select q.subtask_id, s.task_id, q.tool, q.priority, q.turn,
        case when p_limit > 1 then octet_length(s.goal) + octet_length(s.input::text)
          + (select octet_length(t.goal) from tasks t where t.task_id = s.task_id) end as bytes
      from queue_entries q
      join subtasks s using (subtask_id)
      where q.subtask_id = any (p_window) and q.organization_id = p_organization and p_tools ? q.tool and not q.paused
        and (q.run_after is null or q.run_after <= clock_timestamp())
        and q.labels <@ p_labels
        and (p_owners is null or q.owner_id = any (p_owners))
        and q.subtask_id <> all (p_taken)
      order by q.priority desc, q.turn, q.created_at, q.subtask_id
      limit p_limit
      for update of q skip locked
      for no key update of s skip locked
    ) c;
  end if;
  ids := coalesce(ids, '{}');
end
$$;
