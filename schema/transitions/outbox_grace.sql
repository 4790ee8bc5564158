-- How long the message of an outbox row may take after it was due. When nobody has received it by then, it is lost, and the relay sends it again.
create or replace function outbox_grace() returns interval
language sql immutable as $$
  select interval '10 seconds'
$$;
