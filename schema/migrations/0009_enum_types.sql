-- Postgres reads and compiles every check constraint of a table for each statement that writes to it. Lists of states become enum
-- types and rules for one column become domains, which are checked only when such a value is made. What relates several columns
-- remains a constraint. Text is cast to these types on assignment, so that expressions of text still fit.
create type task_status as enum ('pending', 'planning', 'running', 'awaiting_checkpoint', 'completed', 'failed', 'cancelled');
create type failure_policy as enum ('fail_task', 'continue');
create type subtask_status as enum ('blocked', 'ready', 'claimed', 'running', 'in_review', 'awaiting_input', 'awaiting_checkpoint',
  'waiting_quota', 'completed', 'failed', 'cancelled', 'skipped');
create type subtask_kind as enum ('work', 'plan', 'review', 'vote', 'evaluate');
create type attempt_status as enum ('claimed', 'running', 'succeeded', 'failed', 'timed_out', 'lost', 'cancelled', 'released');
create type worker_status as enum ('online', 'busy', 'offline');
create type worker_mode as enum ('active', 'draining', 'paused');
create type event_level as enum ('info', 'warning', 'error');
create type log_stream as enum ('stdout', 'stderr', 'system');
create type artifact_status as enum ('pending', 'stored');
create type checkpoint_status as enum ('pending', 'approved', 'rejected', 'expired');
create cast (text as task_status) with inout as assignment;
create cast (text as failure_policy) with inout as assignment;
create cast (text as subtask_status) with inout as assignment;
create cast (text as subtask_kind) with inout as assignment;
create cast (text as attempt_status) with inout as assignment;
create cast (text as worker_status) with inout as assignment;
create cast (text as worker_mode) with inout as assignment;
create cast (text as event_level) with inout as assignment;
create cast (text as log_stream) with inout as assignment;
create cast (text as artifact_status) with inout as assignment;
create cast (text as checkpoint_status) with inout as assignment;
create cast (subtask_status as attempt_status) with inout as assignment;

create domain json_list as jsonb check (jsonb_typeof(value) = 'array');
create domain positive_int as int check (value > 0);
create domain task_priority as smallint check (value between 0 and 9);
create domain slot_count as int check (value between 1 and 64);

alter table workers
  drop constraint workers_status_check, drop constraint workers_mode_check, drop constraint workers_tools_check,
  drop constraint workers_slots_check,
  alter status drop default, alter mode drop default,
  alter status type worker_status using status::worker_status,
  alter mode type worker_mode using mode::worker_mode,
  alter tools type json_list, alter slots type slot_count,
  alter status set default 'online', alter mode set default 'active';

alter table tasks
  drop constraint tasks_status_check, drop constraint tasks_on_failure_check, drop constraint tasks_priority_check,
  drop constraint tasks_run_check, drop constraint tasks_timeout_seconds_check, drop constraint tasks_counts, drop constraint tasks_ended,
  alter status drop default, alter on_failure drop default,
  alter status type task_status using status::task_status,
  alter on_failure type failure_policy using on_failure::failure_policy,
  alter priority type task_priority, alter timeout_seconds type positive_int,
  alter status set default 'pending', alter on_failure set default 'fail_task',
  add constraint tasks_counts check (
    0 <= completed_count and completed_count <= ended_count and ended_count <= subtask_count and run >= 1),
  add constraint tasks_ended check ((status in ('completed', 'failed', 'cancelled')) = (ended_at is not null));

alter table subtasks
  drop constraint subtasks_status_check, drop constraint subtasks_kind_check, drop constraint subtasks_dependencies_check,
  drop constraint subtasks_blocked_by_check, drop constraint subtasks_idle_timeout_seconds_check,
  drop constraint subtasks_first_event_timeout_seconds_check, drop constraint subtasks_verify_check,
  drop constraint subtasks_leased, drop constraint subtasks_ended, drop constraint subtasks_unblocked, drop constraint subtasks_blocked,
  alter status drop default, alter kind drop default,
  alter status type subtask_status using status::subtask_status,
  alter kind type subtask_kind using kind::subtask_kind,
  alter dependencies type json_list, alter verify type json_list,
  alter idle_timeout_seconds type positive_int, alter first_event_timeout_seconds type positive_int,
  alter status set default 'blocked', alter kind set default 'work',
  add constraint subtasks_leased check ((status in ('claimed', 'running')) = (lease_token is not null)),
  add constraint subtasks_ended check ((status in ('completed', 'failed', 'cancelled', 'skipped')) = (ended_at is not null)),
  add constraint subtasks_blocked check (
    case status when 'blocked' then blocked_by > 0 when 'cancelled' then blocked_by >= 0 when 'skipped' then blocked_by >= 0
      else blocked_by = 0 end);

alter table attempts
  drop constraint attempts_status_check, drop constraint attempts_ended,
  alter status type attempt_status using status::attempt_status,
  add constraint attempts_ended check ((status not in ('claimed', 'running')) = (ended_at is not null));

alter table activity_logs
  drop constraint activity_logs_level_check,
  alter level type event_level using level::event_level;

alter table attempt_logs
  drop constraint attempt_logs_stream_check,
  alter stream type log_stream using stream::log_stream;

alter table artifacts
  drop constraint artifacts_status_check,
  alter status drop default,
  alter status type artifact_status using status::artifact_status,
  alter status set default 'pending';

drop index checkpoints_pending;
alter table checkpoints
  drop constraint checkpoints_status_check,
  alter status drop default,
  alter status type checkpoint_status using status::checkpoint_status,
  alter status set default 'pending';
create index checkpoints_pending on checkpoints (organization_id, created_at desc) where status = 'pending';
