import type { Sql } from '../functions/domain/ports/sql.ts';

const list = async (sql: Sql, query: string): Promise<string[]> => (await sql.unsafe<{ line: string }[]>(query)).map((row) => row.line);

const TABLES = `
  select c.oid, c.relname, c.reloptions from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'public' and c.relkind = 'r' and c.relname <> 'schema_migrations' order by c.relname`;

const columnsOf = (oid: number) => `
  select '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attgenerated = 's' then ' generated always as ' || pg_get_expr(d.adbin, d.adrelid) || ' stored'
        when a.attidentity = 'a' then ' generated always as identity'
        when d.adbin is not null then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end
    || case when a.attnotnull then ' not null' else '' end as line
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = ${oid} and a.attnum > 0 and not a.attisdropped order by a.attnum`;

const constraintsOf = (oid: number) => `
  select '  constraint ' || conname || ' ' || pg_get_constraintdef(oid) as line
  from pg_constraint where conrelid = ${oid} and contype <> 'n' order by contype, conname`;

const indexesOf = (oid: number) => `
  select pg_get_indexdef(i.indexrelid) || ';' as line from pg_index i join pg_class c on c.oid = i.indexrelid
  where i.indrelid = ${oid} and not exists (select from pg_constraint k where k.conindid = i.indexrelid) order by c.relname`;

const TYPES = `
  select 'type ' || t.typname || ' (' || string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum) || ');' as line
  from pg_type t join pg_class c on c.oid = t.typrelid and c.relkind = 'c' join pg_attribute a on a.attrelid = c.oid
  join pg_namespace n on n.oid = t.typnamespace where n.nspname = 'public' group by t.typname order by t.typname`;

/** Function bodies are in schema/; this lists only their signatures. */
const FUNCTIONS = `
  select 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') returns ' || pg_get_function_result(p.oid) || ';' as line
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'public' and p.proname not like 'guard\\_%' order by p.proname, pg_get_function_arguments(p.oid)`;

/** The whole schema as text, in a stable order. */
export const dumpSchema = async (sql: Sql): Promise<string> => {
  const parts: string[] = [];
  for (const { oid, relname, reloptions } of await sql.unsafe<{ oid: number; relname: string; reloptions: string[] | null }[]>(TABLES)) {
    const lines = [...(await list(sql, columnsOf(oid))), ...(await list(sql, constraintsOf(oid)))];
    const options = reloptions ? ` with (${reloptions.join(', ')})` : '';
    parts.push([`table ${relname} (\n${lines.join(',\n')}\n)${options};`, ...(await list(sql, indexesOf(oid)))].join('\n'));
  }
  parts.push((await list(sql, TYPES)).join('\n'), (await list(sql, FUNCTIONS)).join('\n'));
  return `-- The schema that the migrations make, for reading; made by npm run schema:dump.\n\n${parts.join('\n\n')}\n`;
};
