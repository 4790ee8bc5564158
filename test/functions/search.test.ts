import { describe, expect, it } from 'vitest';
import { listTasks } from '../../functions/domain/tasks/tasks.sql.ts';
import { openPool } from '../../functions/platform/postgres.ts';
import { type Backend, backendForTest } from '../support/backend.ts';

const TASKS = 10_000;
const SUBTASKS_EACH = 10;

/** As many rows as the platform is expected to hold, their goals made of common words, a few of them with a rare one. */
const fill = async ({ url }: Backend) => {
  const sql = openPool(url); // so much takes longer than the backend lets a statement take
  await sql`
    insert into tasks (organization_id, owner_id, goal, created_at)
    select organization_id, gen_random_uuid(),
      format('Translate the report number %s about markets %s', n, case when n % 2000 = 0 then 'and the giraffes running there' else '' end)
        || case when n % 1000 = 1 then ' 请翻译这份季度报告' else ' 整理会议记录' end,
      clock_timestamp() - n * interval '1 second'
    from organizations, generate_series(1, ${TASKS}) n`;
  for (let p = 1; p <= SUBTASKS_EACH; p++)
    await sql`
    insert into subtasks (task_id, organization_id, owner_id, key, position, goal, tool, status, retry, timeout_seconds)
    select task_id, organization_id, owner_id, 's' || ${p}::int, ${p}::int,
      'Summarize chapter ' || ${p}::int || case when ${p}::int = 3 and goal like '%giraffes%' then ' with zebras 长颈鹿' else ' 汇总数据' end,
      'scripted', 'ready', '{}', 60
    from tasks`;
  await sql`analyze`;
  await sql.end();
};

type Plan = { 'Node Type': string; 'Index Name'?: string; Filter?: string; Plans?: Plan[] };

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** The plan of the very statement that the list sends. */
const explain = async ({ ctx }: Backend, q: string): Promise<Plan[]> => {
  const [{ organization_id }] = await ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
  const statement = listTasks(ctx.sql, organization_id, { status: undefined, q, after: null, limit: 51 });
  const [row] = await ctx.sql<[{ 'QUERY PLAN': [{ Plan: Plan }] }]>`explain (format json) ${statement}`;
  return nodesOf(row['QUERY PLAN'][0].Plan);
};

const found = async (backend: Backend, q: string) => (await backend.admin.ok.listTasks({ query: { q, limit: '200' } })).items.length;

describe('search among 10,000 tasks and 100,000 subtasks', () => {
  it('finds English words by their stems and Chinese words of two characters, in goals of tasks and of subtasks, by an index', async () => {
    const backend = await backendForTest();
    await fill(backend);

    expect(await found(backend, 'giraffe')).toBe(5);
    expect(await found(backend, 'run giraffes')).toBe(5);
    expect(await found(backend, 'zebra')).toBe(5);
    expect(await found(backend, '季度')).toBe(10);
    expect(await found(backend, '翻译')).toBe(10);
    expect(await found(backend, '季度报告')).toBe(10);
    expect(await found(backend, '长颈鹿')).toBe(5);
    expect(await found(backend, '颈鹿 zebra')).toBe(5);
    expect(await found(backend, '译翻')).toBe(0);
    expect(await found(backend, 'rhinoceros')).toBe(0);

    for (const q of ['giraffe', '季度', 'zebra']) {
      const nodes = await explain(backend, q);
      const indexes = nodes.flatMap((node) => node['Index Name'] ?? []);
      expect(indexes).toEqual(expect.arrayContaining(['tasks_search', 'subtasks_search']));
      expect(nodes.filter((node) => node.Filter?.includes('search @@'))).toEqual([]);
    }
  }, 180_000);

  it('refuses nothing that people type: quotes, operators, odd characters', async () => {
    const backend = await backendForTest();
    await backend.admin.ok.submitTask({ body: { goal: 'it\'s 50% <b>done</b> & "ready" | !now :* 数据\'库' } });

    for (const q of ["it's", '50%', '"ready"', '! | &', ':*', "'; drop table tasks; --", "数据'库", '\\', '库']) {
      expect((await backend.admin.listTasks({ query: { q } })).status).toBe(200);
    }
    expect(await found(backend, 'ready done')).toBe(1);
    expect(await found(backend, '数据')).toBe(1);
  });
});
