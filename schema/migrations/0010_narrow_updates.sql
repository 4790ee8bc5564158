-- An update on the same page writes to the WAL what lies between its first and its last changed byte. `retry`, which never changes,
-- stood between `status` and `lease_token`; it changes places with `result_schema`, which is last and mostly empty. One rewrite, and
-- no dropped column stays behind, which every later statement would have to step over.
alter table subtasks alter retry drop not null;
alter table subtasks
  alter retry type jsonb using result_schema,
  alter result_schema type jsonb using retry;
alter table subtasks rename retry to moved;
alter table subtasks rename result_schema to retry;
alter table subtasks rename moved to result_schema;
alter table subtasks alter retry set not null;
