-- Logs past their time are found from the oldest on. The BRIN index that stood here forgets nothing: once new rows have taken the room of
-- deleted ones, each of its ranges seems to hold old rows, and every purge reads the whole table.
drop index attempt_logs_age;
create index attempt_logs_age on attempt_logs (created_at);

-- A registration whose answer was lost finds its worker, however many have joined before.
create index workers_of_token on workers (enrolment_token_id);

-- Deleting a subtask looks for its checkpoints.
create index checkpoints_of_subtask on checkpoints (subtask_id);

-- Rows come and go within seconds. Who walks the outbox passes what was deleted since the last vacuum, so that comes after a number of
-- them and not after a share of a table that may have been large once.
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
