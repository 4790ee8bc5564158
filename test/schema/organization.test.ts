import { expect, it } from 'vitest';
import { backendForTest } from '../support/backend.ts';

it('every row belongs to an organization', async () => {
  const { ctx } = await backendForTest();

  const without = await ctx.sql`
    select table_name
    from information_schema.tables t
    where table_schema = 'public' and table_type = 'BASE TABLE' and table_name not in ('schema_migrations', 'sweeps') and not exists (
      select from information_schema.columns c
      where c.table_schema = 'public' and c.table_name = t.table_name and c.column_name = 'organization_id' and c.is_nullable = 'NO'
    )`;

  expect([...without]).toEqual([]);
});
