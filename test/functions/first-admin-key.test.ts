import { describe, expect, it, onTestFinished } from 'vitest';
import { bootstrap } from '../../functions/domain/organizations/organizations.ts';
import { openPool } from '../../functions/platform/postgres.ts';
import { createDatabase } from '../support/backend.ts';

const newDatabase = async () => {
  const { url, drop } = await createDatabase();
  const sql = openPool(url, { max: 2 });
  onTestFinished(async () => {
    await sql.end();
    await drop();
  });
  return { sql };
};

describe('the first admin key', () => {
  it('is not made when it cannot be kept, and is made the next time', async () => {
    const ctx = await newDatabase();

    await expect(bootstrap(ctx, () => Promise.reject(new Error('the disk is full')))).rejects.toThrow('the disk is full');

    expect([...(await ctx.sql`select from organizations`)]).toEqual([]);
    expect((await bootstrap(ctx)).admin_key).toMatch(/^mak_/);
  });

  it('is made once by two that start at the same time', async () => {
    const ctx = await newDatabase();
    const kept: string[] = [];
    const keep = async (key: string) => void kept.push(key);

    const answers = await Promise.all([bootstrap(ctx, keep), bootstrap(ctx, keep)]);

    expect(kept).toHaveLength(1);
    expect(answers.map((it) => it.admin_key).filter((key) => key !== null)).toEqual(kept);
    expect([...(await ctx.sql`select name from api_keys`)]).toEqual([{ name: 'admin' }]);
  });
});
