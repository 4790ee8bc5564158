-- How long a message may take to arrive after its outbox row is due. If nobody has received it by then, it counts as lost, and the relay
-- sends it again.
create or replace function outbox_grace() returns interval
language sql immutable as $$
  select interval '10 seconds'
$$;
