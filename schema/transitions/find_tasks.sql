-- The newest p_limit tasks of an organization that have all words of a query, among those after a position in the order of the list.
-- First the newest thousand are checked one by one: this fills a page when many tasks have the words, and reading stops with the page.
-- When it does not fill the page, the index returns all tasks that have the words. The settings leave the planner one plan for each
-- statement: the first scan follows its index in the order of the list and reads the terms of each task by its key; what the index of
-- terms returns is sorted once. `offset 0` keeps conditions where they are, so that no second index is read completely to satisfy one.
-- Takes no locks.
create or replace function find_tasks(
  p_organization uuid, p_words text, p_status tasks.status%type, p_before timestamptz, p_before_id uuid, p_limit int
) returns setof tasks
language plpgsql stable rows 50
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_sort = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  c_walk constant int := 1000;
  v_words tsquery := search_query(p_organization, p_words);
  v_found uuid[];
  v_ends boolean;
begin
  if v_words is null then
    return;
  end if;

  if p_status is null then
    v_found := array(
      select newest.task_id
      from (
        select d.task_id, d.created_at, d.terms
        from search_documents d
        where d.organization_id = p_organization and (d.created_at, d.task_id) < (p_before, p_before_id)
        order by d.created_at desc, d.task_id desc
        limit c_walk
      ) newest
      where newest.terms @@ v_words
      order by newest.created_at desc, newest.task_id desc
      limit p_limit
    );
    v_ends := cardinality(v_found) = p_limit or not exists (
      select
      from search_documents d
      where d.organization_id = p_organization and (d.created_at, d.task_id) < (p_before, p_before_id)
      order by d.created_at desc, d.task_id desc
      offset c_walk limit 1
    );
  else
    v_found := array(
      select newest.task_id
      from (
        select t.task_id, t.created_at
        from tasks t
        where t.organization_id = p_organization and t.status = p_status and (t.created_at, t.task_id) < (p_before, p_before_id)
        order by t.created_at desc, t.task_id desc
        limit c_walk
      ) newest
      cross join lateral (select d.terms from search_documents d where d.task_id = newest.task_id offset 0) d
      where d.terms @@ v_words
      order by newest.created_at desc, newest.task_id desc
      limit p_limit
    );
    v_ends := cardinality(v_found) = p_limit or not exists (
      select
      from tasks t
      where t.organization_id = p_organization and t.status = p_status and (t.created_at, t.task_id) < (p_before, p_before_id)
      order by t.created_at desc, t.task_id desc
      offset c_walk limit 1
    );
  end if;

  if v_ends then
    return query
      select t.*
      from unnest(v_found) with ordinality as found(task_id, place)
      join tasks t on t.task_id = found.task_id;
  else
    return query
      select t.*
      from (
        select d.task_id, d.created_at
        from (
          select d.task_id, d.organization_id, d.created_at from search_documents d where d.terms @@ v_words offset 0
        ) d
        where d.organization_id = p_organization and (d.created_at, d.task_id) < (p_before, p_before_id)
        order by d.created_at desc, d.task_id desc
        limit case when p_status is null then p_limit end
      ) found
      join tasks t on t.task_id = found.task_id
      where p_status is null or t.status = p_status
      order by found.created_at desc, found.task_id desc
      limit p_limit;
  end if;
end
$$;
