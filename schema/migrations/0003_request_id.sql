-- Which request an event came of; null for what happened by the clock.
alter table activity_logs add column request_id text;
