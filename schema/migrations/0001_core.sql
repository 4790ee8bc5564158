-- Text of any language as search terms: English stems, and for Chinese, Japanese and Korean every character and
-- every pair of neighbours, so that a word of two characters is one term of the index. Bounded to 20,000 characters.
create function search_terms(content text) returns tsvector
language sql immutable parallel safe as $$
  select to_tsvector('pg_catalog.english', regexp_replace(left(content, 20000), '[㐀-鿿豈-﫿぀-ヿ가-힯]+', ' ', 'g'))
    || case when content !~ '[㐀-鿿豈-﫿぀-ヿ가-힯]' then ''::tsvector else (
      select coalesce(array_to_tsvector(array_agg(distinct term)), ''::tsvector)
      from (
        select c, lead(c) over (order by i) as next
        from unnest(string_to_array(left(content, 20000), null)) with ordinality as chars(c, i)
      ) pairs
      cross join lateral (values (c), (case when next ~ '[㐀-鿿豈-﫿぀-ヿ가-힯]' then c || next end)) as terms(term)
      where c ~ '[㐀-鿿豈-﫿぀-ヿ가-힯]' and term is not null
    ) end
$$;

-- The query that matches search_terms: all words, all pairs of each run of characters. A query of stop words alone finds nothing.
create function search_query(words text) returns tsquery
language sql immutable parallel safe as $$
  select plainto_tsquery('pg_catalog.english', regexp_replace(words, '[㐀-鿿豈-﫿぀-ヿ가-힯]+', ' ', 'g'))
    && coalesce((
      select string_agg(quote_literal(term), ' & ')::tsquery
      from regexp_matches(words, '[㐀-鿿豈-﫿぀-ヿ가-힯]+', 'g') as runs(run)
      cross join lateral (
        select substr(run[1], i, 2) as term from generate_series(1, greatest(1, length(run[1]) - 1)) as i
      ) pairs
    ), ''::tsquery)
$$;

create table organizations (
  organization_id uuid primary key default gen_random_uuid(),
  name text not null,
  created_at timestamptz not null default clock_timestamp()
);

create table users (
  user_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  email text not null,
  display_name text,
  created_at timestamptz not null default clock_timestamp(),
  unique (organization_id, email)
);

create table api_keys (
  api_key_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  user_id uuid references users,
  name text not null,
  key_hash bytea not null unique,
  hint text not null,
  scopes jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);
create index api_keys_newest on api_keys (organization_id, created_at desc, api_key_id desc);

create table enrolment_tokens (
  enrolment_token_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  token_hash bytea not null unique,
  tools jsonb not null,
  labels jsonb not null,
  owner_ids uuid[],
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz
);

create table workers (
  worker_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  enrolment_token_id uuid references enrolment_tokens,
  registration_id uuid,
  name text not null,
  machine_name text not null,
  status text not null default 'online' check (status in ('online', 'busy', 'offline')),
  mode text not null default 'active' check (mode in ('active', 'draining', 'paused')),
  tools jsonb not null check (jsonb_typeof(tools) = 'array'),
  labels jsonb not null default '{}',
  slots int not null check (slots between 1 and 64),
  owner_ids uuid[],
  agent_version text not null default 'unknown',
  info jsonb not null default '{}',
  version bigint not null default 1,
  registered_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
) with (fillfactor = 70);
create index workers_newest on workers (organization_id, registered_at desc, worker_id desc) where deleted_at is null;

create table tasks (
  task_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  owner_id uuid not null,
  goal text not null,
  status text not null default 'pending'
    check (status in ('pending', 'planning', 'running', 'awaiting_checkpoint', 'completed', 'failed', 'cancelled')),
  paused_at timestamptz,
  on_failure text not null default 'fail_task' check (on_failure in ('fail_task', 'continue')),
  priority smallint not null default 5 check (priority between 0 and 9),
  metadata jsonb not null default '{}',
  run int not null default 1 check (run >= 1),
  version bigint not null default 1,
  last_seq bigint not null default 0,
  subtask_count int not null default 0,
  edge_count int not null default 0,
  completed_count int not null default 0,
  ended_count int not null default 0,
  progress int generated always as (case when subtask_count = 0 then 0 else completed_count * 100 / subtask_count end) stored,
  error jsonb,
  timeout_seconds int check (timeout_seconds > 0),
  deadline_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  ended_at timestamptz,
  updated_at timestamptz not null default clock_timestamp(),
  search tsvector generated always as (search_terms(goal)) stored,
  constraint tasks_counts check (0 <= completed_count and completed_count <= ended_count and ended_count <= subtask_count),
  constraint tasks_ended check ((status in ('completed', 'failed', 'cancelled')) = (ended_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
create index tasks_newest on tasks (organization_id, created_at desc, task_id desc);
create index tasks_by_status on tasks (organization_id, status, created_at desc, task_id desc);
create index tasks_deadline on tasks (deadline_at) where deadline_at is not null and ended_at is null;
create index tasks_search on tasks using gin (search) with (fastupdate = off);

create table subtasks (
  subtask_id uuid primary key default gen_random_uuid(),
  task_id uuid not null references tasks on delete cascade,
  organization_id uuid not null,
  owner_id uuid not null,
  key text not null,
  position int not null,
  kind text not null default 'work' check (kind in ('work', 'plan', 'review', 'vote', 'evaluate')),
  goal text not null,
  tool text not null,
  input jsonb not null default '{}',
  labels jsonb not null default '{}',
  dependencies jsonb not null default '[]' check (jsonb_typeof(dependencies) = 'array'),
  status text not null default 'blocked' check (status in ('blocked', 'ready', 'claimed', 'running', 'in_review', 'awaiting_input',
    'awaiting_checkpoint', 'waiting_quota', 'completed', 'failed', 'cancelled', 'skipped')),
  blocked_by int not null default 0 check (blocked_by >= 0),
  run_after timestamptz,
  attempt int not null default 0,
  attempts int not null default 0,
  infra_attempts int not null default 0,
  retry jsonb not null,
  timeout_seconds int not null,
  lease_token uuid,
  worker_id uuid references workers,
  result jsonb,
  result_bytes int not null default 0,
  result_artifact_id uuid,
  error jsonb,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  ended_at timestamptz,
  search tsvector generated always as (search_terms(goal)) stored,
  unique (task_id, key),
  constraint subtasks_leased check ((status in ('claimed', 'running')) = (lease_token is not null)),
  constraint subtasks_ended check ((status in ('completed', 'failed', 'cancelled', 'skipped')) = (ended_at is not null)),
  constraint subtasks_unblocked check (blocked_by = 0 or status in ('blocked', 'cancelled', 'skipped')),
  constraint subtasks_blocked check (status <> 'blocked' or blocked_by > 0)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- No index on what changes while a subtask is worked on: its updates stay on their page.
create index subtasks_of_task on subtasks (task_id, position);
create index subtasks_search on subtasks using gin (search) with (fastupdate = off);

-- The ready subtasks: a row comes when one becomes ready and goes when it is claimed or cancelled.
create table queue_entries (
  subtask_id uuid primary key references subtasks on delete cascade,
  organization_id uuid not null,
  owner_id uuid not null,
  tool text not null,
  labels jsonb not null,
  priority smallint not null,
  turn bigint not null,
  created_at timestamptz not null,
  run_after timestamptz,
  paused boolean not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- The order in which they are given out.
create index queue_entries_order on queue_entries (organization_id, tool, priority desc, turn, created_at) where not paused;
-- The last turn that an owner waits for.
create index queue_entries_owner on queue_entries (organization_id, tool, priority, owner_id, turn);

create table subtask_edges (
  parent_id uuid not null references subtasks on delete cascade,
  child_id uuid not null references subtasks on delete cascade,
  organization_id uuid not null,
  primary key (parent_id, child_id),
  check (parent_id <> child_id)
);
create index subtask_edges_child on subtask_edges (child_id);

create table attempts (
  subtask_id uuid not null references subtasks on delete cascade,
  attempt int not null,
  organization_id uuid not null,
  task_id uuid not null,
  worker_id uuid not null references workers,
  run int not null,
  claim_request_id uuid not null,
  status text not null check (status in ('claimed', 'running', 'succeeded', 'failed', 'timed_out', 'lost', 'cancelled', 'released')),
  lease_token uuid not null,
  lease_expires_at timestamptz not null,
  claimed_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  deadline_at timestamptz,
  ended_at timestamptz,
  failure_class text,
  error jsonb,
  progress jsonb,
  usage jsonb,
  outcome_hash text,
  primary key (subtask_id, attempt),
  constraint attempts_ended check ((status not in ('claimed', 'running')) = (ended_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
-- Open attempts of a worker: its slots in use, and what the reaper looks through.
create index attempts_open on attempts (worker_id) where ended_at is null;

create table queue_clocks (
  organization_id uuid not null references organizations,
  tool text not null,
  priority smallint not null,
  turn bigint not null default 0,
  primary key (organization_id, tool, priority)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

create table activity_logs (
  log_id uuid not null default gen_random_uuid(),
  task_id uuid not null references tasks on delete cascade,
  seq bigint not null,
  organization_id uuid not null,
  type text not null,
  level text not null check (level in ('info', 'warning', 'error')),
  message text not null,
  run int not null,
  subtask_id uuid,
  attempt int,
  worker_id uuid,
  data jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  primary key (task_id, seq)
);

create table attempt_logs (
  organization_id uuid not null,
  subtask_id uuid not null,
  attempt int not null,
  chunk int not null,
  stream text not null check (stream in ('stdout', 'stderr', 'system')),
  content text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (subtask_id, attempt, chunk),
  foreign key (subtask_id, attempt) references attempts on delete cascade
);
create index attempt_logs_age on attempt_logs using brin (created_at);

create table artifacts (
  artifact_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  task_id uuid not null references tasks on delete cascade,
  subtask_id uuid not null references subtasks on delete cascade,
  attempt int not null,
  name text not null,
  content_type text not null,
  size_bytes bigint not null check (size_bytes >= 0),
  sha256 text not null,
  status text not null default 'pending' check (status in ('pending', 'stored')),
  created_at timestamptz not null default clock_timestamp(),
  stored_at timestamptz,
  unique (subtask_id, attempt, name)
);
create index artifacts_of_task on artifacts (task_id);

create table checkpoints (
  checkpoint_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  task_id uuid not null references tasks on delete cascade,
  subtask_id uuid references subtasks on delete cascade,
  status text not null default 'pending' check (status in ('pending', 'approved', 'rejected', 'expired')),
  payload jsonb not null default '{}',
  decided_by uuid references users,
  created_at timestamptz not null default clock_timestamp(),
  timeout_at timestamptz,
  decided_at timestamptz
);
create index checkpoints_of_task on checkpoints (task_id);
create index checkpoints_pending on checkpoints (organization_id, created_at desc) where status = 'pending';

create table corrections (
  correction_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  task_id uuid not null references tasks on delete cascade,
  subtask_id uuid not null references subtasks on delete cascade,
  guidance text not null,
  author jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
create index corrections_of_subtask on corrections (subtask_id, created_at);
create index corrections_of_task on corrections (task_id);

create table evaluations (
  evaluation_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organizations,
  task_id uuid not null references tasks on delete cascade,
  subtask_id uuid not null references subtasks on delete cascade,
  attempt int not null,
  rubric text not null,
  scores jsonb not null default '{}',
  overall_score numeric(5, 2) not null check (overall_score between 0 and 10),
  created_at timestamptz not null default clock_timestamp()
);
create index evaluations_of_subtask on evaluations (subtask_id, created_at);
create index evaluations_of_task on evaluations (task_id);

-- What must leave Postgres leaves through here: written in the transaction of its cause, deleted when it is done.
create table outbox (
  outbox_id bigint generated always as identity primary key,
  organization_id uuid not null,
  topic text not null,
  payload jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  available_at timestamptz not null default clock_timestamp(),
  tries int not null default 0,
  last_error text
);
create index outbox_due on outbox (available_at, outbox_id);

create table idempotency_keys (
  organization_id uuid not null references organizations,
  principal_id uuid not null,
  key text not null,
  operation text not null,
  request_hash text not null,
  response jsonb,
  created_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, principal_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

create type task_event as (
  task_id uuid,
  type text,
  level text,
  message text,
  subtask_id uuid,
  attempt int,
  worker_id uuid,
  data jsonb
);
