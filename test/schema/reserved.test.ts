import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import { Topic } from '../../schema/live.ts';
import { RESERVED } from '../../schema/reserved.ts';
import { type Edge, SUBTASK_EDGES, TASK_EDGES } from '../../schema/states.ts';
import { backendForTest } from '../support/backend.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string) => readFile(join(ROOT, file), 'utf8');
/** All SQL that runs after the migrations, and all code of the backend. */
const files = ['schema/transitions/*.sql', 'functions/**/*.ts'].flatMap((pattern) => globSync(pattern, { cwd: ROOT }));
const code = (await Promise.all(files.map(read))).join('\n');
const statements = (await Promise.all(files.filter((file) => /\.sql(\.ts)?$/.test(file)).map(read))).join('\n');

const INITIAL = ['pending', 'blocked'];
const withoutUse = (labels: readonly string[], edges: readonly Edge<string>[]) => {
  const used = new Set([...INITIAL, ...edges.flatMap(({ from, to }) => [from, to])]);
  return labels.filter((label) => !used.has(label));
};

const labelsOf = async (sql: Sql, type: string) => {
  const rows = await sql<{ label: string }[]>`
    select enumlabel::text as label from pg_enum where enumtypid = ${type}::regtype order by enumsortorder`;
  return rows.map((row) => row.label);
};

describe('a reserved name', () => {
  it('is each table that no statement reads or writes, and no other', async () => {
    const { sql } = (await backendForTest()).ctx;
    const rows = await sql<{ name: string }[]>`
      select relname::text as name from pg_class
      where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`;
    const isUsed = (name: string) => new RegExp(`\\b(into|update|from|join|table|exists)\\s+${name}\\b`).test(statements);

    expect(rows.map((row) => row.name).filter((name) => !isUsed(name))).toEqual(RESERVED.tables);
  });

  it('is each state that no change of state leads to or from, and no other', async () => {
    const { sql } = (await backendForTest()).ctx;
    expect(withoutUse(await labelsOf(sql, 'task_status'), TASK_EDGES)).toEqual(RESERVED.task_status);
    expect(withoutUse(await labelsOf(sql, 'subtask_status'), SUBTASK_EDGES)).toEqual(RESERVED.subtask_status);
  });

  it('is each kind of subtask that no statement writes, and no other', async () => {
    const { sql } = (await backendForTest()).ctx;
    const [row] = await sql<[{ standard: string }]>`
      select column_default as standard from information_schema.columns where table_name = 'subtasks' and column_name = 'kind'`;
    const unused = (await labelsOf(sql, 'subtask_kind')).filter((label) => !`${row.standard}\n${statements}`.includes(`'${label}'`));

    expect(unused).toEqual(RESERVED.subtask_kind);
  });

  it('is a topic that can be subscribed to and to which nothing is sent', () => {
    for (const topic of RESERVED.topics) {
      expect(Topic.safeParse(topic).success).toBe(true);
      expect(code).not.toContain(`topic: '${topic}'`);
    }
    for (const topic of ['tasks', 'workers']) expect(code).toContain(`topic: '${topic}'`);
  });

  it('is listed in docs/database.md', async () => {
    const section = (await read('docs/database.md')).split('\n## Reserved names\n')[1]?.split('\n## ')[0] ?? '';
    const named = [...section.matchAll(/^\| (.*?) \| (.*?) \|$/gm)]
      .slice(1)
      .map(([, place, names = '']) => [place, [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name)]);

    expect(named.map(([, names]) => names)).toEqual(Object.values(RESERVED));
  });
});
