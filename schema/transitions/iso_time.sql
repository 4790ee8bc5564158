-- A time as the API returns it: ISO 8601 in UTC with as many digits as it needs, which is also how the driver reads a column.
create or replace function iso_time(p_time timestamptz) returns text
language sql stable
return rtrim(rtrim(to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z';
