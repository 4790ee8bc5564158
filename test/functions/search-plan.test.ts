import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPool } from '../../functions/platform/pool.ts';
import { type Backend, createBackend } from '../support/backend.ts';
import { makeHistory } from '../../bench/support/history.ts';
import { enrol } from '../support/worker.ts';

/** More tasks than a search checks one by one. */
const TASKS = 3_000;
/** Tables that grow with history, so that a search must not scan them. Small tables are scanned. */
const SMALL = 1_000;

type Scans = { name: string; scans: number };

/** The tables that were scanned sequentially and the word indexes that were used, since the statistics were reset. */
const scans = async ({ ctx }: Backend): Promise<{ tables: Scans[]; words: number }> => {
  await ctx.sql`select pg_stat_force_next_flush()`;
  const tables = await ctx.sql<Scans[]>`
    select s.relname as name, s.seq_scan::int as scans
    from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    where c.reltuples > ${SMALL} order by 1`;
  const [{ words }] = await ctx.sql<[{ words: number }]>`
    select sum(s.idx_scan)::int as words
    from pg_stat_user_indexes s join pg_class c on c.oid = s.indexrelid join pg_am m on m.oid = c.relam
    where m.amname = 'gin'`;
  return { tables, words };
};

describe('a search', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend({ pool: 1 }); // what a connection counts is seen once it is idle
    await enrol(backend);
    const filler = openPool(backend.url);
    await makeHistory(filler, { tasks: TASKS });
    await filler`analyze`;
    await filler.end();
  });
  afterAll(() => backend.close());

  it('finds its tasks by an index over words, and scans no big table', async () => {
    for (const q of ['giraffe', '季度', 'giraffe report', 'nowhere', 'archive']) {
      const before = await scans(backend);
      await backend.admin.ok.listTasks({ query: { q, limit: 50 } });
      const after = await scans(backend);

      expect(before.tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['search_documents', 'subtasks', 'tasks']));
      expect([q, after.tables]).toEqual([q, before.tables]);
      expect([q, after.words > before.words]).toEqual([q, true]);
    }
  });

  it('for words that are in many of the newest tasks reads no index over words, with a status and without', async () => {
    for (const status of [undefined, 'completed'] as const) {
      const before = await scans(backend);
      const { items } = await backend.admin.ok.listTasks({ query: { q: 'report', limit: 50, ...(status ? { status } : {}) } });
      const after = await scans(backend);

      expect(items).toHaveLength(50);
      expect([status, after]).toEqual([status, before]);
    }
  });
});
