import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json, type Sql } from '../../../functions/domain/sql.ts';
import { ConnectionLost, isDatabaseAway, openPool, type PoolSettings } from '../../../functions/platform/postgres.ts';
import { createDatabase } from '../../support/backend.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

/** A pool over a proxy that can cut its connections. */
const poolForTest = async (settings: PoolSettings = {}) => {
  const { url, drop } = await createDatabase();
  const { hostname, port } = new URL(url);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  const through = new URL(url);
  through.port = String(proxy.port);
  const sql = openPool(through.href, { max: 4, prepare: true, ...settings });
  onTestFinished(async () => {
    await sql.end();
    await proxy.close();
    await drop();
  });
  return { sql, proxy };
};

const connection = async (sql: Sql) => {
  const [row] = await sql<[{ pid: number }]>`select pg_backend_pid() as pid`;
  return row.pid;
};

const patient = { timeout: 15_000 };

const sleeping = async (sql: Sql) => {
  const rows = await sql`select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`;
  return rows.length;
};

const names = async (sql: Sql) => {
  const rows = await sql<{ name: string }[]>`select name from organizations order by name`;
  return rows.map((row) => row.name);
};

describe('a statement', () => {
  it('takes values as parameters and statements as parts, at any depth', async () => {
    const { sql } = await poolForTest();
    const row = sql`${1}::int as a, ${sql`upper(${sql`${"it's"}::text`})`} as b`;

    const rows = await sql`select ${row}, ${json([{ c: "'" }])}::jsonb as d, ${['x,"', 'y']}::text[] as e`;

    expect([...rows]).toEqual([{ a: 1, b: "IT'S", d: [{ c: "'" }], e: ['x,"', 'y'] }]);
  });

  it('answers times as ISO text with microseconds, 64-bit integers as numbers, and how many rows it touched', async () => {
    const { sql } = await poolForTest();

    const rows = await sql`select timestamptz '2026-01-02 03:04:05.678901+02' as at, 9007199254740991::int8 as big, null::text as none`;
    const touched = await sql`insert into organizations (name) values ('a'), ('b')`;

    expect([...rows]).toEqual([{ at: '2026-01-02T01:04:05.678901Z', big: 9_007_199_254_740_991, none: null }]);
    expect(touched.count).toBe(2);
  });

  it('is sent once however often it is awaited, and not at all when it is not', async () => {
    const { sql } = await poolForTest();
    const named = sql`insert into organizations (name) values ('once') returning organization_id`;
    const never = sql`insert into organizations (name) values ('never')`;

    expect(await named).toEqual(await named);

    expect(never).toBeDefined();
    expect(await names(sql)).toEqual(['once']);
  });

  it('refuses undefined, and says where', async () => {
    const { sql } = await poolForTest();

    await expect(async () => sql`select 1 where ${undefined}`).rejects.toThrow('The value after "select 1 where " is undefined');
  });

  it('that Postgres refuses says so with its code and from where it was sent, and costs no connection', async () => {
    const { sql } = await poolForTest({ max: 1 });
    const before = await connection(sql);

    const error = await sql`select 1 / ${0}::int`.catch((it: unknown) => it);

    expect(error).toMatchObject({ code: '22012', message: 'division by zero' });
    expect((error as Error).stack).toContain('postgres.test.ts');
    expect(isDatabaseAway(error)).toBe(false);
    expect(await connection(sql)).toBe(before);
  });
});

describe('a transaction', () => {
  it('is kept as a whole when its work succeeds, and not at all when it throws', async () => {
    const { sql } = await poolForTest();
    const insert = (name: string, work: () => Promise<void>) =>
      sql.begin(async (tx) => {
        await tx`insert into organizations (name) values (${name})`;
        await work();
      });

    await insert('kept', () => Promise.resolve());
    await expect(insert('dropped', () => Promise.reject(new Error('no')))).rejects.toThrow('no');

    expect(await names(sql)).toEqual(['kept']);
  });
});

describe('a lost connection', () => {
  it('is told to each that used one, also inside a transaction, and the next use new ones', async () => {
    const { sql, proxy } = await poolForTest();
    for (let round = 0; round < 5; round++) {
      const inside = [1, 2].map(() => sql.begin((tx) => tx`select pg_sleep(30)`));
      const told = Promise.allSettled([sql`select pg_sleep(30)`, ...inside]);
      await expect.poll(() => sleeping(sql), patient).toBe(3);

      proxy.cut();

      const reasons = (await told).map((it) => (it.status === 'rejected' ? it.reason : null));
      expect(reasons).toEqual([expect.any(ConnectionLost), expect.any(ConnectionLost), expect.any(ConnectionLost)]);
      expect(reasons.every(isDatabaseAway)).toBe(true);
      await expect.poll(() => connection(sql).catch(() => null), patient).not.toBeNull(); // one that was idle may be found dead only now
      expect(await Promise.all(Array.from({ length: 8 }, () => connection(sql)))).toHaveLength(8);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`;
      await expect.poll(() => sleeping(sql), patient).toBe(0);
    }
  }, 60_000);

  it('between two statements of a transaction ends it, however soon or late the next comes', async () => {
    const { sql, proxy } = await poolForTest();

    for (let turns = 0; turns < 12; turns++) {
      const transaction = sql.begin(async (tx) => {
        await tx`insert into organizations (name) values ('lost')`;
        proxy.cut();
        for (let n = 0; n < turns; n++) await nextTurn();
        await tx`insert into organizations (name) values ('lost too')`;
      });

      await expect(transaction).rejects.toThrow(ConnectionLost);
      expect(await names(sql)).toEqual([]);
    }
  });

  it('is what a database is that does not answer in time', async () => {
    const { sql } = await poolForTest({ answerMs: 100 });

    await expect(sql`select pg_sleep(30)`).rejects.toThrow(ConnectionLost);
  });

  it('is what a database is that is not there', async () => {
    const sql = openPool('postgres://nobody:x@127.0.0.1:1/none');
    onTestFinished(() => sql.end());

    await expect(sql`select 1`).rejects.toThrow(/out of reach.*ECONNREFUSED/);
  });
});
