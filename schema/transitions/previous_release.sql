-- For code of the previous release, which still runs during an update: it records events without the id of their request, and
-- does not write the terms for searches. A migration of the next release drops this, together with task_event.
create or replace function record_events(p_events task_event[]) returns void
language plpgsql as $$
begin
  perform record_events(array(
    select (e.task_id, e.type, e.level, e.message, e.subtask_id, e.attempt, e.worker_id, e.data, null)::pending_event
    from unnest(p_events) with ordinality as e(task_id, type, level, message, subtask_id, attempt, worker_id, data, place)
    order by e.place
  ));
  insert into search_documents (task_id, organization_id, created_at, terms)
  select t.task_id, t.organization_id, t.created_at, search_document(t.organization_id, null,
    t.goal || array(select s.goal from subtasks s where s.task_id = t.task_id order by s.position))
  from tasks t
  where t.task_id in (select e.task_id from unnest(p_events) e where e.type = 'task.submitted')
  on conflict do nothing;
end
$$;

-- The outbox functions under their names of the previous release.
create or replace function leave_in_outbox(p_organization uuid, p_topic text, p_payload jsonb, p_due timestamptz default null)
returns void
language sql as $$
  select write_outbox(p_organization, p_topic, p_payload, p_due)
$$;
create or replace function left_in_outbox() returns jsonb
language sql stable as $$
  select written_outbox()
$$;

-- The fence check and the sweep under their names of the previous release.
create or replace function judge_fence(
  p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt int, p_outcome text, p_hash text
) returns text
language sql stable as $$
  select check_fence(p_organization, p_worker, p_subtask, p_token, p_attempt, p_outcome, p_hash)
$$;
create or replace function note_sweep(p_outage_ms int, p_grace_ms int) returns boolean
language sql as $$
  select record_sweep(p_outage_ms, p_grace_ms)
$$;
