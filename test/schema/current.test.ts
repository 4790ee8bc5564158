import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dumpSchema } from '../../local/schema-dump.ts';
import { backendForTest } from '../support/backend.ts';

describe('schema/current.sql', () => {
  it('matches the migrations; npm run schema:dump generates it', async () => {
    const backend = await backendForTest();

    const dumped = await dumpSchema(backend.ctx.sql);

    expect(dumped).toBe(await readFile(join(import.meta.dirname, '../../schema/current.sql'), 'utf8'));
  });

  it('changes with a table, a column, an index, a constraint, a type or a function', async () => {
    const { sql } = (await backendForTest()).ctx;
    const changes = [
      'create table extra ()',
      'alter table tasks alter goal drop not null',
      'create index tasks_extra on tasks (goal)',
      'alter table tasks drop constraint tasks_counts',
      'alter table tasks set (fillfactor = 71)',
      'alter type task_event add attribute extra text',
      'create function extra(a int) returns int language sql return a',
    ];

    for (const change of changes) {
      const before = await dumpSchema(sql);
      await sql.unsafe(change);

      expect(await dumpSchema(sql), change).not.toBe(before);
    }
  });
});
