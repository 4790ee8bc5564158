import { appendFile, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import { migrate } from '../../functions/platform/migrate.ts';
import { dumpSchema } from '../../local/schema-dump.ts';
import { run } from '../support/processes.ts';
import { emptyDatabase } from './support/database.ts';
import { exitOf } from './support/start.ts';

const SCHEMA = join(import.meta.dirname, '../../schema');
const current = () => readFile(join(SCHEMA, 'current.sql'), 'utf8');
const migrationNames = async () => (await readdir(join(SCHEMA, 'migrations'))).toSorted();

/** The SQL of the schema, for tests to change. */
const copyOfSchema = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['migrations', 'transitions']) await cp(join(SCHEMA, name), join(folder, name), { recursive: true });
  return folder;
};

const applied = async (sql: Sql) =>
  (await sql<{ name: string; applied_at: string }[]>`select name, applied_at from schema_migrations order by name`).slice();

describe('migrate', () => {
  it('creates the schema of an empty database, and changes nothing the second time', async () => {
    const { url, sql } = await emptyDatabase();

    const first = await migrate({ url, folder: SCHEMA });
    const before = await applied(sql);
    const second = await migrate({ url, folder: SCHEMA });

    expect(first.applied).toEqual([...(await migrationNames()), 'transitions']);
    expect(second.applied).toEqual([]);
    expect(await applied(sql)).toEqual(before);
    expect(await dumpSchema(sql)).toBe(await current());
  });

  it('applies each migration once when several run at the same time', async () => {
    const { url, sql } = await emptyDatabase();

    const answers = await Promise.all(Array.from({ length: 6 }, () => migrate({ url, folder: SCHEMA })));

    expect(answers.flatMap((it) => it.applied).toSorted()).toEqual([...(await migrationNames()), 'transitions']);
    expect(await dumpSchema(sql)).toBe(await current());
  });

  it('applies new migrations, and the functions if one of them changed', async () => {
    const { url, sql } = await emptyDatabase();
    const folder = await copyOfSchema();
    await migrate({ url, folder });

    await writeFile(join(folder, 'migrations/9001_extra.sql'), 'create table extra (a int);');
    await appendFile(join(folder, 'transitions/retry_delay_ms.sql'), '\n-- changed');

    expect((await migrate({ url, folder })).applied).toEqual(['9001_extra.sql', 'transitions']);
    expect((await sql`select * from extra`).length).toBe(0);
  });

  it('leaves nothing of a migration that fails, reports which one and why, and keeps those before it', async () => {
    const { url, sql } = await emptyDatabase();
    const folder = await copyOfSchema();
    await writeFile(join(folder, 'migrations/9001_good.sql'), 'create table good (a int);');
    await writeFile(join(folder, 'migrations/9002_bad.sql'), 'create table half (a int); select 1 / 0;');

    await expect(migrate({ url, folder })).rejects.toThrow("9002_bad.sql can't be applied: division by zero");

    const [made] = await sql`select to_regclass('good') is not null as good, to_regclass('half') is not null as half`;
    expect(made).toEqual({ good: true, half: false });
    expect((await applied(sql)).map((it) => it.name)).toEqual([...(await migrationNames()), '9001_good.sql']);
  });

  it('keeps the retries and the result schema of subtasks, whose columns are reordered', async () => {
    const { url, sql } = await emptyDatabase();
    const folder = await copyOfSchema();
    const moving = '0010_narrow_updates.sql';
    await rm(join(folder, 'migrations', moving));
    await migrate({ url, folder });
    await sql.unsafe(`
      insert into organizations (organization_id, name) values ('00000000-0000-4000-8000-000000000001', 'one');
      insert into tasks (task_id, organization_id, owner_id, goal, on_failure, priority, subtask_count)
      values ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', gen_random_uuid(), 'x', 'fail_task', 0, 2);
      insert into subtasks (task_id, organization_id, owner_id, key, position, goal, tool, status, retry, timeout_seconds, result_schema)
      select '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', gen_random_uuid(), v.key, v.position,
        'x', 'scripted', 'ready', v.retry::jsonb, 60, v.schema::jsonb
      from (values ('a', 0, '{"max_attempts": 1}', null), ('b', 1, '{"max_attempts": 2}', '{"type": "object"}')) as v(key, position, retry, schema)`);

    await cp(join(SCHEMA, 'migrations', moving), join(folder, 'migrations', moving));
    expect((await migrate({ url, folder })).applied).toContain(moving);

    expect((await sql`select key, retry, result_schema from subtasks order by key`).slice()).toEqual([
      { key: 'a', retry: { max_attempts: 1 }, result_schema: null },
      { key: 'b', retry: { max_attempts: 2 }, result_schema: { type: 'object' } },
    ]);
  });

  it('refuses a database that is newer than the code, and leaves it unchanged', async () => {
    const { url, sql } = await emptyDatabase();
    const newer = await copyOfSchema();
    await writeFile(join(newer, 'migrations/9001_newer.sql'), 'create table newer (a int);');
    await appendFile(join(newer, 'transitions/retry_delay_ms.sql'), '\n-- newer');
    await migrate({ url, folder: newer });
    const before = await applied(sql);

    await expect(migrate({ url, folder: SCHEMA })).rejects.toThrow('newer than this code: it has 9001_newer.sql');

    expect(await applied(sql)).toEqual(before);
  });

  it('refuses a migration that was changed after it was applied, except for its line endings', async () => {
    const { url } = await emptyDatabase();
    const folder = await copyOfSchema();
    const path = join(folder, 'migrations/0001_core.sql');
    await migrate({ url, folder });

    await writeFile(path, (await readFile(path, 'utf8')).replaceAll('\n', '\r\n'));
    expect((await migrate({ url, folder })).applied).toEqual([]);
    await appendFile(path, '-- changed');

    await expect(migrate({ url, folder })).rejects.toThrow('0001_core.sql was changed after it had been applied; put it back');
  });
});

describe('npm run migrate', { timeout: 60_000 }, () => {
  it('by two processes at once succeeds in both, and creates one schema', async () => {
    const { url, sql } = await emptyDatabase();

    const both = [1, 2].map(() => run(['local/migrate.ts'], { DATABASE_URL: url }));

    expect(await Promise.all(both.map(exitOf))).toEqual([0, 0]);
    const output = both.map((it) => it.output()).join('');
    expect(output.match(/0001_core\.sql/g)).toHaveLength(1);
    expect(output.match(/mak_/g)).toHaveLength(1);
    expect(await dumpSchema(sql)).toBe(await current());
  });

  it('reports in one line that the database is unreachable, and exits with 1', async () => {
    const failed = run(['local/migrate.ts'], { DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x' });

    expect(await exitOf(failed)).toBe(1);
    expect(failed.output()).toMatch(/^Not migrated: .*ECONNREFUSED.*\n$/);
    expect(failed.output()).not.toContain('secret');
  });
});
