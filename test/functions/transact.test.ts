import { describe, expect, it } from 'vitest';
import { repeating, transact } from '../../functions/domain/transact.ts';
import type { Sql } from '../../functions/domain/ports/sql.ts';
import { backendForTest } from '../support/backend.ts';

const MOST_CALLS = 10;

/** Fails with an SQLSTATE, as Postgres would. */
const raise = (sql: Sql, code: string) => sql.unsafe(`do $$ begin raise exception 'as asked' using errcode = '${code}'; end $$`);

const callsOf = async (work: () => Promise<unknown>) => {
  let calls = 0;
  const outcome = await repeating(() => {
    calls++;
    if (calls > MOST_CALLS) throw new Error('it is repeated without end');
    return work();
  }).catch((error: { code?: string }) => error.code);
  return { calls, outcome };
};

describe('a transaction', () => {
  it('that a deadlock aborted is retried, and both transactions take effect', async () => {
    const { ctx } = await backendForTest();
    await ctx.sql`insert into organizations (name) values ('one'), ('two')`;
    const bothHold = Promise.withResolvers<void>();
    let holding = 0;
    let calls = 0;
    const rename = (first: string, second: string) =>
      transact(ctx.sql, async (sql) => {
        calls++;
        await sql`update organizations set name = name || '!' where name like ${`${first}%`}`;
        if (++holding === 2) bothHold.resolve();
        await bothHold.promise;
        await sql`update organizations set name = name || '!' where name like ${`${second}%`}`;
      });

    await Promise.all([rename('one', 'two'), rename('two', 'one')]);

    const rows = await ctx.sql<{ name: string }[]>`select name from organizations where name like 'one%' or name like 'two%' order by 1`;
    expect(rows.map(({ name }) => name)).toEqual(['one!!', 'two!!']);
    expect(calls).toBe(3);
  });

  it.each(['40P01', '40001'])('that keeps failing with %s is given up after four tries', async (code) => {
    const { ctx } = await backendForTest();

    expect(await callsOf(() => raise(ctx.sql, code))).toEqual({ calls: 4, outcome: code });
  });

  it('that fails for another reason is not retried', async () => {
    const { ctx } = await backendForTest();

    expect(await callsOf(() => raise(ctx.sql, '23505'))).toEqual({ calls: 1, outcome: '23505' });
  });
});
