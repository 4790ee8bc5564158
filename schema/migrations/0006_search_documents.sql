-- What a search reads of a task: the terms of its goal and of its subtasks' goals, each once and without positions. It is a row of its
-- own, so that the rows which change while a task is worked on stay small.
create table search_documents (
  task_id uuid primary key references tasks on delete cascade,
  organization_id uuid not null,
  created_at timestamptz not null,
  terms tsvector not null
);

-- Stands in front of each term, so that the index reads almost nothing of other organizations' tasks.
create function search_prefix(organization_id uuid) returns text
language sql immutable parallel safe as $$
  select left(md5(organization_id::text), 4)
$$;

-- A task's terms: those it has, then those of further goals in their order, as far as a million characters reach and up to 256 KiB of terms
-- in all. A tsvector ends at 1 MiB, and a submission must not fail for what it says.
create function search_document(organization_id uuid, known tsvector, goals text[]) returns tsvector
language sql immutable parallel safe as $$
  select coalesce(array_to_tsvector(array_agg(term)), ''::tsvector)
  from (
    select term, sum(octet_length(term)) over (order by place, term rows unbounded preceding) as bytes
    from (
      select term, min(place) as place
      from (
        select unnest(tsvector_to_array(known)) as term, 0 as place
        union all
        select search_prefix(organization_id) || unnest(tsvector_to_array(search_terms(goal))), place
        from (
          select goal, place, sum(length(goal)) over (order by place) as characters
          from unnest(goals) with ordinality as goals(goal, place)
        ) read
        where characters - length(goal) < 1000000
      ) every
      group by term
    ) once
  ) counted
  where bytes <= 262144
$$;

-- The query that matches such terms: all words, all pairs of each run of Chinese, Japanese or Korean characters. Null where nothing
-- is left to look for, as with stop words alone.
create function search_query(organization_id uuid, words text) returns tsquery
language sql immutable parallel safe as $$
  select string_agg(quote_literal(search_prefix(organization_id) || term), ' & ')::tsquery
  from (
    select unnest(tsvector_to_array(to_tsvector('pg_catalog.english',
      regexp_replace(words, '[㐀-鿿豈-﫿぀-ヿ가-힯]+', ' ', 'g')))) as term
    union
    select substr(run[1], i, 2)
    from regexp_matches(words, '[㐀-鿿豈-﫿぀-ヿ가-힯]+', 'g') as runs(run)
    cross join generate_series(1, greatest(1, length(run[1]) - 1)) as i
  ) terms
$$;

-- The terms of each goal are there already; those of one task are put together without looking at the texts again.
insert into search_documents (task_id, organization_id, created_at, terms)
select t.task_id, t.organization_id, t.created_at, coalesce(found.terms, ''::tsvector)
from tasks t
left join (
  select task_id, array_to_tsvector(array_agg(term)) as terms
  from (
    select task_id, term, sum(octet_length(term)) over (partition by task_id order by place, term rows unbounded preceding) as bytes
    from (
      select task_id, search_prefix(organization_id) || term as term, min(place) as place
      from (
        select task_id, organization_id, unnest(tsvector_to_array(search)) as term, -1 as place from tasks
        union all
        select task_id, organization_id, unnest(tsvector_to_array(search)), position from subtasks
      ) every
      group by task_id, organization_id, term
    ) once
  ) counted
  where bytes <= 262144
  group by task_id
) found using (task_id)
order by t.created_at;

create index search_documents_terms on search_documents using gin (terms) with (fastupdate = off);
create index search_documents_newest on search_documents (organization_id, created_at desc, task_id desc);

alter table tasks drop column search;
alter table subtasks drop column search;
drop function search_query(text);
