import { describe, expect, it, onTestFinished } from 'vitest';
import { bootstrap } from '../../functions/domain/organizations/organizations.ts';
import { openPool } from '../../functions/platform/pool.ts';
import { createDatabase } from '../support/backend.ts';
import { until } from '../support/processes.ts';

const newDatabase = async () => {
  const { url, drop } = await createDatabase();
  const sql = openPool(url, { max: 3 });
  onTestFinished(async () => {
    await sql.end();
    await drop();
  });
  return { sql };
};

describe('the first admin key', () => {
  it('is not created when it cannot be saved, and is created the next time', async () => {
    const ctx = await newDatabase();

    await expect(bootstrap(ctx, () => Promise.reject(new Error('the disk is full')))).rejects.toThrow('the disk is full');

    expect([...(await ctx.sql`select from organizations`)]).toEqual([]);
    expect((await bootstrap(ctx)).admin_key).toMatch(/^mak_/);
  });

  it('is created once by two processes that start at the same time', async () => {
    const ctx = await newDatabase();
    const kept: string[] = [];
    const isWaiting = async () => {
      const [row] = await ctx.sql<[{ waiting: boolean }]>`
        select exists (
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
        ) as waiting`;
      return row.waiting || kept.length > 1;
    };
    let second: ReturnType<typeof bootstrap> | undefined;
    const keep = async (key: string) => {
      kept.push(key);
      second ??= bootstrap(ctx, keep); // before the first has committed
      await until('the second to wait, or to have made a key too', isWaiting, 15_000);
    };

    const first = await bootstrap(ctx, keep);

    expect(await second).toEqual({ admin_key: null });
    expect(kept).toEqual([first.admin_key]);
    expect([...(await ctx.sql`select name from api_keys`)]).toEqual([{ name: 'admin' }]);
  });
});
