-- The schema that the migrations make, for reading; made by npm run schema:dump.

table activity_logs (
  log_id uuid default gen_random_uuid() not null,
  task_id uuid not null,
  seq bigint not null,
  organization_id uuid not null,
  type text not null,
  level event_level not null,
  message text not null,
  run integer not null,
  subtask_id uuid,
  attempt integer,
  worker_id uuid,
  data jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  request_id text,
  constraint activity_logs_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint activity_logs_pkey PRIMARY KEY (task_id, seq)
);

table api_keys (
  api_key_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  user_id uuid,
  name text not null,
  key_hash bytea not null,
  hint text not null,
  scopes jsonb not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  revoked_at timestamp with time zone,
  constraint api_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(user_id),
  constraint api_keys_pkey PRIMARY KEY (api_key_id),
  constraint api_keys_key_hash_key UNIQUE (key_hash)
);
CREATE INDEX api_keys_newest ON public.api_keys USING btree (organization_id, created_at DESC, api_key_id DESC);

table artifacts (
  artifact_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  task_id uuid not null,
  subtask_id uuid not null,
  attempt integer not null,
  name text not null,
  content_type text not null,
  size_bytes bigint not null,
  sha256 text not null,
  status artifact_status default 'pending'::artifact_status not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  stored_at timestamp with time zone,
  constraint artifacts_size_bytes_check CHECK ((size_bytes >= 0)),
  constraint artifacts_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint artifacts_subtask_id_fkey FOREIGN KEY (subtask_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint artifacts_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint artifacts_pkey PRIMARY KEY (artifact_id),
  constraint artifacts_subtask_id_attempt_name_key UNIQUE (subtask_id, attempt, name)
);
CREATE INDEX artifacts_of_task ON public.artifacts USING btree (task_id);

table attempt_logs (
  organization_id uuid not null,
  subtask_id uuid not null,
  attempt integer not null,
  chunk integer not null,
  stream log_stream not null,
  content text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint attempt_logs_subtask_id_attempt_fkey FOREIGN KEY (subtask_id, attempt) REFERENCES attempts(subtask_id, attempt) ON DELETE CASCADE,
  constraint attempt_logs_pkey PRIMARY KEY (subtask_id, attempt, chunk)
);
CREATE INDEX attempt_logs_age ON public.attempt_logs USING btree (created_at);

table attempts (
  subtask_id uuid not null,
  attempt integer not null,
  organization_id uuid not null,
  task_id uuid not null,
  worker_id uuid not null,
  run integer not null,
  claim_request_id uuid not null,
  status attempt_status not null,
  lease_token uuid not null,
  lease_expires_at timestamp with time zone not null,
  claimed_at timestamp with time zone default clock_timestamp() not null,
  started_at timestamp with time zone,
  deadline_at timestamp with time zone,
  ended_at timestamp with time zone,
  failure_class text,
  error jsonb,
  progress jsonb,
  usage jsonb,
  outcome_hash text,
  constraint attempts_ended CHECK (((status <> ALL (ARRAY['claimed'::attempt_status, 'running'::attempt_status])) = (ended_at IS NOT NULL))),
  constraint attempts_subtask_id_fkey FOREIGN KEY (subtask_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint attempts_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES workers(worker_id),
  constraint attempts_pkey PRIMARY KEY (subtask_id, attempt)
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.02);
CREATE INDEX attempts_open ON public.attempts USING btree (worker_id) WHERE (ended_at IS NULL);

table checkpoints (
  checkpoint_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  task_id uuid not null,
  subtask_id uuid,
  status checkpoint_status default 'pending'::checkpoint_status not null,
  payload jsonb default '{}'::jsonb not null,
  decided_by uuid,
  created_at timestamp with time zone default clock_timestamp() not null,
  timeout_at timestamp with time zone,
  decided_at timestamp with time zone,
  constraint checkpoints_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users(user_id),
  constraint checkpoints_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint checkpoints_subtask_id_fkey FOREIGN KEY (subtask_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint checkpoints_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint checkpoints_pkey PRIMARY KEY (checkpoint_id)
);
CREATE INDEX checkpoints_of_subtask ON public.checkpoints USING btree (subtask_id);
CREATE INDEX checkpoints_of_task ON public.checkpoints USING btree (task_id);
CREATE INDEX checkpoints_pending ON public.checkpoints USING btree (organization_id, created_at DESC) WHERE (status = 'pending'::checkpoint_status);

table corrections (
  correction_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  task_id uuid not null,
  subtask_id uuid not null,
  guidance text not null,
  author jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint corrections_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint corrections_subtask_id_fkey FOREIGN KEY (subtask_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint corrections_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint corrections_pkey PRIMARY KEY (correction_id)
);
CREATE INDEX corrections_of_subtask ON public.corrections USING btree (subtask_id, created_at);
CREATE INDEX corrections_of_task ON public.corrections USING btree (task_id);

table enrolment_tokens (
  enrolment_token_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  token_hash bytea not null,
  tools jsonb not null,
  labels jsonb not null,
  owner_ids uuid[],
  created_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  constraint enrolment_tokens_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint enrolment_tokens_pkey PRIMARY KEY (enrolment_token_id),
  constraint enrolment_tokens_token_hash_key UNIQUE (token_hash)
);

table evaluations (
  evaluation_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  task_id uuid not null,
  subtask_id uuid not null,
  attempt integer not null,
  rubric text not null,
  scores jsonb default '{}'::jsonb not null,
  overall_score numeric(5,2) not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint evaluations_overall_score_check CHECK (((overall_score >= (0)::numeric) AND (overall_score <= (10)::numeric))),
  constraint evaluations_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint evaluations_subtask_id_fkey FOREIGN KEY (subtask_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint evaluations_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint evaluations_pkey PRIMARY KEY (evaluation_id)
);
CREATE INDEX evaluations_of_subtask ON public.evaluations USING btree (subtask_id, created_at);
CREATE INDEX evaluations_of_task ON public.evaluations USING btree (task_id);

table idempotency_keys (
  organization_id uuid not null,
  principal_id uuid not null,
  key text not null,
  operation text not null,
  request_hash text not null,
  response jsonb,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint idempotency_keys_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint idempotency_keys_pkey PRIMARY KEY (organization_id, principal_id, key)
);
CREATE INDEX idempotency_keys_age ON public.idempotency_keys USING btree (created_at);

table organizations (
  organization_id uuid default gen_random_uuid() not null,
  name text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint organizations_pkey PRIMARY KEY (organization_id)
);

table outbox (
  outbox_id bigint generated always as identity not null,
  organization_id uuid not null,
  topic text not null,
  payload jsonb not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  available_at timestamp with time zone default clock_timestamp() not null,
  tries integer default 0 not null,
  last_error text,
  constraint outbox_pkey PRIMARY KEY (outbox_id)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=2000);

table queue_clocks (
  organization_id uuid not null,
  tool text not null,
  priority smallint not null,
  turn bigint default 0 not null,
  constraint queue_clocks_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint queue_clocks_pkey PRIMARY KEY (organization_id, tool, priority)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.02);

table queue_entries (
  subtask_id uuid not null,
  organization_id uuid not null,
  owner_id uuid not null,
  tool text not null,
  labels jsonb not null,
  priority smallint not null,
  turn bigint not null,
  created_at timestamp with time zone not null,
  run_after timestamp with time zone,
  paused boolean not null,
  constraint queue_entries_subtask_id_fkey FOREIGN KEY (subtask_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint queue_entries_pkey PRIMARY KEY (subtask_id)
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX queue_entries_order ON public.queue_entries USING btree (organization_id, tool, priority DESC, turn, created_at) WHERE (NOT paused);
CREATE INDEX queue_entries_owner ON public.queue_entries USING btree (organization_id, tool, priority, owner_id, turn);

table search_documents (
  task_id uuid not null,
  organization_id uuid not null,
  created_at timestamp with time zone not null,
  terms tsvector not null,
  constraint search_documents_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint search_documents_pkey PRIMARY KEY (task_id)
);
CREATE INDEX search_documents_newest ON public.search_documents USING btree (organization_id, created_at DESC, task_id DESC);
CREATE INDEX search_documents_terms ON public.search_documents USING gin (terms) WITH (fastupdate=off);

table subtask_edges (
  parent_id uuid not null,
  child_id uuid not null,
  organization_id uuid not null,
  constraint subtask_edges_check CHECK ((parent_id <> child_id)),
  constraint subtask_edges_child_id_fkey FOREIGN KEY (child_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint subtask_edges_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES subtasks(subtask_id) ON DELETE CASCADE,
  constraint subtask_edges_pkey PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX subtask_edges_child ON public.subtask_edges USING btree (child_id);

table subtasks (
  subtask_id uuid default gen_random_uuid() not null,
  task_id uuid not null,
  organization_id uuid not null,
  owner_id uuid not null,
  key text not null,
  position integer not null,
  kind subtask_kind default 'work'::subtask_kind not null,
  goal text not null,
  tool text not null,
  input jsonb default '{}'::jsonb not null,
  labels jsonb default '{}'::jsonb not null,
  dependencies json_list default '[]'::jsonb not null,
  status subtask_status default 'blocked'::subtask_status not null,
  blocked_by integer default 0 not null,
  run_after timestamp with time zone,
  attempt integer default 0 not null,
  attempts integer default 0 not null,
  infra_attempts integer default 0 not null,
  result_schema jsonb,
  timeout_seconds integer not null,
  lease_token uuid,
  worker_id uuid,
  result jsonb,
  result_bytes integer default 0 not null,
  result_artifact_id uuid,
  error jsonb,
  created_at timestamp with time zone default clock_timestamp() not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  idle_timeout_seconds positive_int,
  first_event_timeout_seconds positive_int,
  verify json_list default '[]'::jsonb not null,
  retry jsonb not null,
  constraint subtasks_blocked CHECK (
CASE status
    WHEN 'blocked'::subtask_status THEN (blocked_by > 0)
    WHEN 'cancelled'::subtask_status THEN (blocked_by >= 0)
    WHEN 'skipped'::subtask_status THEN (blocked_by >= 0)
    ELSE (blocked_by = 0)
END),
  constraint subtasks_ended CHECK (((status = ANY (ARRAY['completed'::subtask_status, 'failed'::subtask_status, 'cancelled'::subtask_status, 'skipped'::subtask_status])) = (ended_at IS NOT NULL))),
  constraint subtasks_leased CHECK (((status = ANY (ARRAY['claimed'::subtask_status, 'running'::subtask_status])) = (lease_token IS NOT NULL))),
  constraint subtasks_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE,
  constraint subtasks_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES workers(worker_id),
  constraint subtasks_pkey PRIMARY KEY (subtask_id),
  constraint subtasks_task_id_key_key UNIQUE (task_id, key)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX subtasks_of_task ON public.subtasks USING btree (task_id, "position");

table sweeps (
  only_row boolean default true not null,
  swept_at timestamp with time zone,
  waits_until timestamp with time zone,
  constraint sweeps_only_row_check CHECK (only_row),
  constraint sweeps_pkey PRIMARY KEY (only_row)
);

table tasks (
  task_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  owner_id uuid not null,
  goal text not null,
  status task_status default 'pending'::task_status not null,
  paused_at timestamp with time zone,
  on_failure failure_policy default 'fail_task'::failure_policy not null,
  priority task_priority default 5 not null,
  metadata jsonb default '{}'::jsonb not null,
  run integer default 1 not null,
  version bigint default 1 not null,
  last_seq bigint default 0 not null,
  subtask_count integer default 0 not null,
  edge_count integer default 0 not null,
  completed_count integer default 0 not null,
  ended_count integer default 0 not null,
  progress integer generated always as 
CASE
    WHEN (subtask_count = 0) THEN 0
    ELSE ((completed_count * 100) / subtask_count)
END stored,
  error jsonb,
  timeout_seconds positive_int,
  deadline_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint tasks_counts CHECK (((0 <= completed_count) AND (completed_count <= ended_count) AND (ended_count <= subtask_count) AND (run >= 1))),
  constraint tasks_ended CHECK (((status = ANY (ARRAY['completed'::task_status, 'failed'::task_status, 'cancelled'::task_status])) = (ended_at IS NOT NULL))),
  constraint tasks_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint tasks_pkey PRIMARY KEY (task_id)
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.02);
CREATE INDEX tasks_by_status ON public.tasks USING btree (organization_id, status, created_at DESC, task_id DESC);
CREATE INDEX tasks_deadline ON public.tasks USING btree (deadline_at) WHERE ((deadline_at IS NOT NULL) AND (ended_at IS NULL));
CREATE INDEX tasks_newest ON public.tasks USING btree (organization_id, created_at DESC, task_id DESC);

table users (
  user_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  email text not null,
  display_name text,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint users_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint users_pkey PRIMARY KEY (user_id),
  constraint users_organization_id_email_key UNIQUE (organization_id, email)
);

table workers (
  worker_id uuid default gen_random_uuid() not null,
  organization_id uuid not null,
  enrolment_token_id uuid,
  registration_id uuid,
  name text not null,
  machine_name text not null,
  status worker_status default 'online'::worker_status not null,
  mode worker_mode default 'active'::worker_mode not null,
  tools json_list not null,
  labels jsonb default '{}'::jsonb not null,
  slots slot_count not null,
  owner_ids uuid[],
  agent_version text default 'unknown'::text not null,
  info jsonb default '{}'::jsonb not null,
  version bigint default 1 not null,
  registered_at timestamp with time zone default clock_timestamp() not null,
  last_seen_at timestamp with time zone default clock_timestamp() not null,
  deleted_at timestamp with time zone,
  constraint workers_enrolment_token_id_fkey FOREIGN KEY (enrolment_token_id) REFERENCES enrolment_tokens(enrolment_token_id),
  constraint workers_organization_id_fkey FOREIGN KEY (organization_id) REFERENCES organizations(organization_id),
  constraint workers_pkey PRIMARY KEY (worker_id)
) with (fillfactor=70);
CREATE INDEX workers_newest ON public.workers USING btree (organization_id, registered_at DESC, worker_id DESC) WHERE (deleted_at IS NULL);
CREATE INDEX workers_of_token ON public.workers USING btree (enrolment_token_id);

type pending_event (task_id uuid, type text, level text, message text, subtask_id uuid, attempt integer, worker_id uuid, data jsonb, request_id text);
type task_event (task_id uuid, type text, level text, message text, subtask_id uuid, attempt integer, worker_id uuid, data jsonb);

function attempt_deadline(p_timeout_seconds integer) returns timestamp with time zone;
function cancel_subtasks(p_task uuid, p_reason text) returns pending_event[];
function check_completion(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt integer, p_artifact uuid, p_hash text) returns jsonb;
function check_fence(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt integer, p_outcome text, p_hash text) returns text;
function claim_subtasks(p_organization uuid, p_lease_ms integer, p_workers uuid[], p_request_ids text[], p_claims uuid[], p_limits integer[], p_starts boolean[], p_windows jsonb, p_locked uuid[], OUT answers jsonb[], OUT events pending_event[]) returns record;
function claimed_subtask(s subtasks, p_task_goal text, p_lease_ms integer, p_input_bytes integer) returns jsonb;
function complete_and_claim(p_organization uuid, p_lease_ms integer, p_workers uuid[], p_request_ids text[], p_claims uuid[], p_limits integer[], p_starts boolean[], p_windows jsonb, p_places integer[], p_subtasks uuid[], p_tokens uuid[], p_attempts integer[], p_results jsonb[], p_bytes integer[], p_artifacts uuid[], p_usages jsonb[], p_hashes text[]) returns jsonb;
function complete_subtasks(p_organization uuid, p_workers uuid[], p_request_ids text[], p_places integer[], p_subtasks uuid[], p_tokens uuid[], p_attempts integer[], p_results jsonb[], p_bytes integer[], p_artifacts uuid[], p_usages jsonb[], p_hashes text[], OUT locked uuid[], OUT completed uuid[], OUT events pending_event[]) returns record;
function end_attempt(p_subtask uuid, p_outcome text, p_class text, p_message text, p_usage jsonb, p_hash text) returns void;
function expire_tasks(p_limit integer) returns integer;
function fail_subtask(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt integer, p_outcome text, p_class text, p_message text, p_usage jsonb, p_hash text) returns jsonb;
function find_tasks(p_organization uuid, p_words text, p_status task_status, p_before timestamp with time zone, p_before_id uuid, p_limit integer) returns SETOF tasks;
function heartbeat(p_organization uuid, p_worker uuid, p_leases jsonb, p_info jsonb, p_lease_ms integer) returns jsonb;
function insert_subtasks(p_tasks uuid[], p_subtasks jsonb, p_edges jsonb) returns uuid[];
function iso_time(p_time timestamp with time zone) returns text;
function judge_fence(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt integer, p_outcome text, p_hash text) returns text;
function leave_in_outbox(p_organization uuid, p_topic text, p_payload jsonb, p_due timestamp with time zone DEFAULT NULL::timestamp with time zone) returns void;
function left_in_outbox() returns jsonb;
function note_sweep(p_outage_ms integer, p_grace_ms integer) returns boolean;
function outbox_grace() returns interval;
function pick_ready(p_organization uuid, p_tools jsonb, p_labels jsonb, p_owners uuid[], p_limit integer, p_window uuid[], p_taken uuid[], OUT ids uuid[], OUT tasks uuid[], OUT bytes integer[], OUT tools text[], OUT priorities smallint[], OUT turns bigint[]) returns record;
function queue_subtasks(p_subtasks uuid[], p_again boolean DEFAULT false) returns void;
function reap_attempts(p_limit integer) returns integer;
function record_events(p_events pending_event[]) returns jsonb;
function record_events(p_events task_event[]) returns void;
function record_sweep(p_outage_ms integer, p_grace_ms integer) returns boolean;
function remove_worker(p_organization uuid, p_worker uuid) returns boolean;
function renew_claim(p_worker uuid, p_claim uuid, p_lease_ms integer) returns jsonb;
function retry_delay_ms(p_retry jsonb, p_failures integer) returns double precision;
function search_document(organization_id uuid, known tsvector, goals text[]) returns tsvector;
function search_prefix(organization_id uuid) returns text;
function search_query(organization_id uuid, words text) returns tsquery;
function search_terms(content text) returns tsvector;
function start_claimed(p_organization uuid, p_workers uuid[], p_request_ids text[], p_places integer[], p_subtasks uuid[], p_tokens uuid[], p_attempts integer[]) returns uuid[];
function start_subtask(p_organization uuid, p_worker uuid, p_subtask uuid, p_token uuid, p_attempt integer) returns jsonb;
function submit_tasks(p_organization uuid, p_submissions jsonb, p_subtasks jsonb, p_edges jsonb) returns jsonb;
function subtask_inputs(p_subtask uuid, p_bytes integer) returns jsonb;
function take_due(p_after bigint, p_limit integer) returns SETOF outbox;
function write_outbox(p_organization uuid, p_topic text, p_payload jsonb, p_due timestamp with time zone DEFAULT NULL::timestamp with time zone) returns void;
function written_outbox() returns jsonb;
