import { describe, expect, it } from 'vitest';
import { list } from '../../functions/domain/tasks/tasks.ts';
import { openPool } from '../../functions/platform/postgres.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { indexesOf, indexesOfKind, type Plan, plansOf, scansOf } from '../support/plans.ts';

const TASKS = 6_000;
/** A scan of any of these grows with history; those that are small are looked through as a whole. */
const SMALL = 1_000;

/** One word is in every task, one in every fourth, others in very few. */
const fill = async ({ url }: Backend) => {
  const sql = openPool(url);
  await sql`
    insert into tasks (organization_id, owner_id, goal, created_at)
    select organization_id, gen_random_uuid(),
      concat_ws(' ', 'report', n, case when n % 4 = 0 then 'quarterly' end, case when n % 1000 = 0 then 'giraffe 季度' end),
      clock_timestamp() - n * interval '1 second'
    from organizations, generate_series(1, ${TASKS}) n`;
  await sql`
    insert into subtasks (task_id, organization_id, owner_id, key, position, goal, tool, status, retry, timeout_seconds)
    select task_id, organization_id, owner_id, 's' || n, n, 'part ' || n || case when goal like '%giraffe%' then ' zebra' else '' end,
      'scripted', 'ready', '{}', 60
    from tasks, generate_series(1, 3) n`;
  await sql`analyze`;
  await sql.end();
};

const organizationOf = async ({ ctx }: Backend) => {
  const [row] = await ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
  return row;
};

/** What the use case of the list sends for a search. */
const searchPlans = async (backend: Backend, q: string): Promise<Plan[]> => {
  const who = await organizationOf(backend);
  return plansOf(backend.ctx.sql, (sql) => list({ ...backend.ctx, sql }, who, { q, limit: 50 }));
};

const bigTables = async ({ ctx }: Backend): Promise<string[]> => {
  const rows = await ctx.sql<{ name: string }[]>`
    select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and reltuples > ${SMALL}`;
  return rows.map(({ name }) => name);
};

describe('a search', () => {
  it('reaches its tasks by an index over words, and reads no big table as a whole', async () => {
    const backend = await backendForTest();
    await fill(backend);
    const big = await bigTables(backend);
    expect(big).toEqual(expect.arrayContaining(['tasks', 'subtasks']));

    for (const q of ['giraffe', 'zebra', '季度', 'giraffe report', 'nowhere']) {
      const plans = await searchPlans(backend, q);
      expect(plans.length).toBeGreaterThan(0);
      expect([q, plans.flatMap(scansOf).filter((table) => big.includes(table))]).toEqual([q, []]);
      expect([q, await indexesOfKind(backend.ctx.sql, plans.flatMap(indexesOf), 'gin')]).not.toEqual([q, []]);
    }
  });
});
