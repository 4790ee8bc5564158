-- Rows leave the outbox within seconds, so their order of arrival finds what is due; every change of state writes one, so each index counts.
drop index outbox_due;
