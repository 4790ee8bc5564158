import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openPool } from '../../functions/platform/pool.ts';
import { list } from '../../functions/domain/tasks/tasks.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { countBlocks } from '../../bench/support/blocks.ts';
import { makeHistory } from '../../bench/support/history.ts';
import { enrol } from '../support/worker.ts';

const TASKS = 10_000;

/** The expected size of the platform. Inserting this takes longer than the statement timeout of the backend. */
const fill = async (backend: Backend) => {
  await enrol(backend);
  const sql = openPool(backend.url);
  await makeHistory(sql, { tasks: TASKS });
  await sql.end();
};

const found = async (backend: Backend, q: string) => (await backend.admin.ok.listTasks({ query: { q, limit: 200 } })).items.length;

/** All pages of a search, as the numbers of the tasks in the history; 1 is the newest. */
const numbers = async (backend: Backend, query: { q: string; limit: number; status?: 'completed' }): Promise<number[]> => {
  const listed: number[] = [];
  for (let cursor: { cursor?: string } = {}; ; ) {
    const page = await backend.admin.ok.listTasks({ query: { ...query, ...cursor } });
    listed.push(...page.items.map(({ goal }) => Number(/number (\d+)/.exec(goal)?.[1])));
    if (page.next_cursor === null) return listed;
    cursor = { cursor: page.next_cursor };
  }
};

const numbersOf = (is: (n: number) => boolean) => Array.from({ length: TASKS }, (_, at) => at + 1).filter(is);

describe('search among 10,000 tasks and 100,000 subtasks', () => {
  it('finds words by their stems and Chinese words of two characters, newest first, by an index or the newest tasks', async () => {
    const backend = await backendForTest({ pool: 1 });
    await fill(backend);

    expect(await numbers(backend, { q: 'giraffe', limit: 3 })).toEqual(numbersOf((n) => n % 1000 === 1));
    expect(await numbers(backend, { q: '季度', limit: 200 })).toEqual(numbersOf((n) => n % 1000 === 1));
    expect(await found(backend, 'writing giraffes')).toBe(10);
    expect(await found(backend, '季度报告')).toBe(10);
    expect(await found(backend, '翻译 reports')).toBe(10);
    expect(await found(backend, '汇总 giraffe')).toBe(10);
    expect(await found(backend, 'chapters')).toBe(200);
    expect(await found(backend, '译翻')).toBe(0);
    expect(await found(backend, 'rhinoceros')).toBe(0);
    expect(await found(backend, 'north south')).toBe(0);
    expect(await numbers(backend, { q: 'archive north', limit: 200 })).toEqual(numbersOf((n) => n > TASKS / 2 && n % 4 === 0));
    expect(await numbers(backend, { q: 'market', limit: 200, status: 'completed' })).toEqual(numbersOf((n) => n % 2 === 0));
    expect(await numbers(backend, { q: 'archive west', limit: 200, status: 'completed' })).toEqual(
      numbersOf((n) => n > TASKS / 2 && n % 4 === 3),
    );

    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    const search = (q: string) => countBlocks(backend.ctx.sql, () => list(backend.ctx, { organization_id }, { q, limit: 50 }));
    for (const q of ['giraffe', '季度', 'rhinoceros', 'archive west']) {
      const { scans } = await search(q);
      expect(scans).toMatchObject({ search_documents: 0, search_documents_terms: 1 });
    }
    for (const q of ['report', '整理', 'market', 'chapters']) {
      const { scans } = await search(q);
      expect(scans).toMatchObject({ search_documents: 0, search_documents_newest: 1 });
      expect(scans.search_documents_terms ?? 0).toBe(0);
    }
  }, 180_000);

  it('finds what was just submitted or added, wherever in the task its words are', async () => {
    const backend = await backendForTest();
    const subtasks = [
      { key: 'a', goal: 'Count the zebras' },
      { key: 'b', goal: 'Feed a 长颈鹿' },
    ];
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'Visit a well-known zoo', subtasks } });
    await backend.admin.ok.submitTask({ body: { goal: 'Visit a museum' } });

    for (const q of ['zebra', '颈鹿 zebra', 'visit zoo', 'well-known', 'counting known zebras'])
      expect([q, await found(backend, q)]).toEqual([q, 1]);
    expect(await found(backend, 'penguin')).toBe(0);
    await backend.admin.ok.addSubtasks({ params: { task_id }, body: { subtasks: [{ key: 'c', goal: 'Find the penguins' }] } });
    expect(await found(backend, 'penguin zebra zoo')).toBe(1);
    expect(await found(backend, 'visit')).toBe(2);

    const { key } = await backend.newKey({ organization: 'abroad' });
    expect((await backend.as(key).ok.listTasks({ query: { q: 'visit' } })).items).toEqual([]);
    await backend.admin.ok.cancelTask({ params: { task_id }, body: {} });
    expect((await backend.admin.ok.listTasks({ query: { q: 'visit', status: 'cancelled' } })).items).toHaveLength(1);
    await backend.admin.ok.deleteTask({ params: { task_id } });
    expect(await found(backend, 'visit')).toBe(1);
  });

  it('finds nothing of another organization, not even of one whose terms have the same prefix', async () => {
    const backend = await backendForTest();
    await backend.admin.ok.submitTask({ body: { goal: 'Visit a museum' } });
    const [{ organization_id: own }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    const prefix = (id: string) => createHash('md5').update(id).digest('hex').slice(0, 4);
    let other = randomUUID();
    while (prefix(other) !== prefix(own)) other = randomUUID();
    await backend.ctx.sql`insert into organizations (organization_id, name) values (${other}, 'another')`;

    for (const status of [undefined, 'pending' as const]) {
      expect((await list(backend.ctx, { organization_id: own }, { q: 'museum', status, limit: 5 })).items).toHaveLength(1);
      expect((await list(backend.ctx, { organization_id: other }, { q: 'museum', status, limit: 5 })).items).toEqual([]);
    }
  });

  it('stores a task whose goals have more words than a search can keep, and finds it by the first of them', async () => {
    const backend = await backendForTest();
    const words = (n: number) => Array.from({ length: 2_000 }, (_, at) => `w${n}x${at}`).join(' ');
    const many = (letter: string) => Array.from({ length: 300 }, (_, n) => ({ key: `${letter}${n}`, goal: words(n) }));

    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'a long story', subtasks: many('a') } });
    await backend.admin.ok.addSubtasks({ params: { task_id }, body: { subtasks: [{ key: 'z', goal: 'the end' }] } });

    expect(await found(backend, 'story w0x7')).toBe(1);
    const [row] = await backend.ctx.sql<[{ bytes: number }]>`
      select sum(octet_length(term))::int as bytes from search_documents cross join unnest(tsvector_to_array(terms)) as term`;
    expect(row.bytes).toBeLessThanOrEqual(262_144);
  }, 30_000);

  it('accepts whatever people type: quotes, operators, unusual characters', async () => {
    const backend = await backendForTest();
    await backend.admin.ok.submitTask({ body: { goal: 'it\'s 50% <b>done</b> & "ready" | !now :* 数据\'库' } });

    for (const q of ["it's", '50%', '"ready"', '! | &', ':*', "'; drop table tasks; --", "数据'库", '\\', '库']) {
      expect((await backend.admin.listTasks({ query: { q } })).status).toBe(200);
    }
    expect(await found(backend, 'ready done')).toBe(1);
    expect(await found(backend, '数据')).toBe(1);
  });
});
