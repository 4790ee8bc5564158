import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import { backendForTest } from '../support/backend.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = await readFile(join(ROOT, 'docs/database.md'), 'utf8');
const diagram = /```mermaid\n(.*?)```/s.exec(text)?.[1] ?? '';
const section = (title: string) => text.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
/** The names in the first column of the tables of a section. */
const named = (title: string) =>
  [...section(title).matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) =>
    [...(cell ?? '').matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );

const tablesOf = async (sql: Sql) => {
  const rows = await sql<{ name: string }[]>`
    select relname::text as name from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'schema_migrations' order by 1`;
  return rows.map((row) => row.name);
};

/** Foreign keys as lines of the diagram: |o for one that may be null, o| where at most one row points to the other. */
const relationsOf = async (sql: Sql) => {
  const rows = await sql<{ line: string }[]>`
    select k.confrelid::regclass || ' ' || case when bool_and(a.attnotnull) then '||' else '|o' end || '--'
      || case when k.conkey = p.conkey then 'o|' else 'o{' end || ' ' || k.conrelid::regclass || ' : '
      || case when count(*) = 1 then min(a.attname) else '"' || string_agg(a.attname, ', ' order by a.attnum) || '"' end as line
    from pg_constraint k
    join pg_constraint p on p.conrelid = k.conrelid and p.contype = 'p'
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
    where k.contype = 'f' and k.confrelid <> 'organizations'::regclass
    group by k.oid, k.confrelid, k.conrelid, k.conkey, p.conkey`;
  return rows.map((row) => row.line);
};

/** Columns as lines of the diagram, by their tables. */
const columnsOf = async (sql: Sql) => {
  const rows = await sql<{ name: string; line: string }[]>`
    select a.attrelid::regclass::text as name,
      case t.typname when 'int4' then 'int' when 'int8' then 'bigint' when 'int2' then 'smallint' when 'bool' then 'boolean' else t.typname end
        || ' ' || a.attname || coalesce(' ' || (
          select string_agg(case contype when 'p' then 'PK' when 'f' then 'FK' else 'UK' end, ', ' order by array_position('{p,f,u}', contype::text))
          from pg_constraint k
          where k.conrelid = a.attrelid and a.attnum = any (k.conkey) and k.confrelid <> 'organizations'::regclass
            and (k.contype in ('p', 'f') or k.contype = 'u' and cardinality(k.conkey) = 1)
        ), '') as line
    from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_class c on c.oid = a.attrelid
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped`;
  return Map.groupBy(rows, (row) => row.name);
};

describe('docs/database.md', () => {
  it('draws every table, with its actual columns', async () => {
    const { sql } = (await backendForTest()).ctx;
    const entities = [...diagram.matchAll(/^ {2}(\w+) \{\n(.*?)^ {2}\}/gms)];
    const columns = await columnsOf(sql);

    expect(entities.map(([, name = '']) => name).toSorted()).toEqual(await tablesOf(sql));
    for (const [, name = '', body = ''] of entities) {
      const lines = columns.get(name)?.map((row) => row.line) ?? [];
      expect(lines, name).toEqual(expect.arrayContaining(body.trim().split(/\n\s*/)));
      expect(body, name).toContain(' PK');
    }
  });

  it('draws every foreign key except those to organizations', async () => {
    const { sql } = (await backendForTest()).ctx;

    const lines = diagram.split('\n').map((line) => line.trim());

    expect(lines.filter((line) => line.includes('--')).toSorted()).toEqual((await relationsOf(sql)).toSorted());
  });

  it('describes every table and transition, and only indexes that exist', async () => {
    const { sql } = (await backendForTest()).ctx;
    const indexes = await sql<{ name: string }[]>`select indexname::text as name from pg_indexes where schemaname = 'public'`;
    const transitions = (await readdir(join(ROOT, 'schema/transitions'))).map((file) => file.replace('.sql', ''));

    expect(named('Tables').toSorted()).toEqual(await tablesOf(sql));
    expect(named('Indexes that matter').length).toBeGreaterThan(9);
    expect(indexes.map((row) => row.name)).toEqual(expect.arrayContaining(named('Indexes that matter')));
    expect(named('Transitions').toSorted()).toEqual(transitions.toSorted());
  });
});
