-- When somebody last looked after what is overdue: a long silence says that the platform itself was away.
create table sweeps (
  only_row boolean primary key default true check (only_row),
  swept_at timestamptz,
  waits_until timestamptz
);
insert into sweeps default values;
