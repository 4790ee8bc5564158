-- An event before it has its number; it names the request that it comes from, since one transaction may serve several.
create type pending_event as (
  task_id uuid,
  type text,
  level text,
  message text,
  subtask_id uuid,
  attempt int,
  worker_id uuid,
  data jsonb,
  request_id text
);
