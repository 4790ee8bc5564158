-- What a subtask says of silence and of success; null where it leaves that to the worker. The worker looks at them, no statement does.
alter table subtasks
  add column idle_timeout_seconds int check (idle_timeout_seconds > 0),
  add column first_event_timeout_seconds int check (first_event_timeout_seconds > 0),
  add column verify jsonb not null default '[]' check (jsonb_typeof(verify) = 'array'),
  add column result_schema jsonb;
