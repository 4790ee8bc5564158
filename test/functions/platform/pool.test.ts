import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json, type Sql } from '../../../functions/domain/ports/sql.ts';
import { ConnectionLost, isDatabaseUnavailable, openPool, type PoolSettings } from '../../../functions/platform/pool.ts';
import { createDatabase } from '../../support/backend.ts';
import { startTcpProxy } from '../../../bench/support/tcp-proxy.ts';

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

  it('returns times as ISO text with microseconds, 64-bit integers as numbers, and the number of affected rows', async () => {
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

  it('refuses undefined, and names the place', async () => {
    const { sql } = await poolForTest();

    await expect(async () => sql`select 1 where ${undefined}`).rejects.toThrow('The value after "select 1 where " is undefined');
  });

  it('that Postgres refuses fails with its code and the place where it was sent, and keeps the connection', async () => {
    const { sql } = await poolForTest({ max: 1 });
    const before = await connection(sql);

    const error = await sql`select 1 / ${0}::int`.catch((it: unknown) => it);

    expect(error).toMatchObject({ code: '22012', message: 'division by zero' });
    expect((error as Error).stack).toContain('pool.test.ts');
    expect(isDatabaseUnavailable(error)).toBe(false);
    expect(await connection(sql)).toBe(before);
  });
});

describe('a transaction', () => {
  it('is committed as a whole when its work succeeds, and rolled back when it throws', async () => {
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

  it('sends its statements one after another, even if they are not awaited one by one', async () => {
    const { sql, proxy } = await poolForTest({ max: 1 });
    await sql`select 1`;
    const before = proxy.counted().roundTrips;

    const rows = await sql.begin((tx) =>
      Promise.all(
        [1, 2, 3].map(async (n) => {
          await tx`insert into organizations (name) values (${`${n}`})`;
          const [row] = await tx<[{ count: number }]>`select count(*) as count from organizations`;
          return row.count;
        }),
      ),
    );

    expect(rows).toEqual([3, 3, 3]);
    expect(proxy.counted().roundTrips - before).toBe(6 + 2); // begin and commit
  });

  it('accepts no statement after its end, which would run outside of it', async () => {
    const { sql } = await poolForTest();

    const tx = await sql.begin(async (tx) => ({ late: () => tx`insert into organizations (name) values ('late')` }));

    await expect(async () => tx.late()).rejects.toThrow('The transaction of this statement has ended');
    expect(await names(sql)).toEqual([]);
  });

  it('fails when one of its statements failed, even if its work ignores the error', async () => {
    const { sql } = await poolForTest();

    const transaction = sql.begin(async (tx) => {
      await tx`insert into organizations (name) values ('before')`;
      await tx`select 1 / ${0}::int`.catch(() => {});
    });

    await expect(transaction).rejects.toThrow('it was rolled back');
    expect(await names(sql)).toEqual([]);
  });
});

describe('a value', () => {
  /** Sent as a parameter of this type, read as the type of the column. */
  const echo = async (value: unknown, type: string) => {
    const { sql } = await poolForTest({ max: 1 });
    const parts = ['select ', `::${type} as value`];
    const [row] = await sql<[{ value: unknown }]>(Object.assign([...parts], { raw: parts }), value);
    return row.value;
  };
  const bytes = Buffer.from([0, 1, 34, 44, 92, 123, 255]);
  const odd = ['', 'null', 'NULL', 'a,b', '{x}', '"q"', '\\', 'line\nend', "it's", ' blank ', '中文', null];

  it.each([
    ['text', 'NULL'],
    ['boolean', true],
    ['int', -7],
    ['bigint', 9_007_199_254_740_991],
    ['float8', 0.25],
    ['numeric', '12345678901234567890.5'],
    ['uuid', '00000000-0000-7000-8000-000000000000'],
    ['date', '2026-01-02'],
    ['timestamptz', '2026-01-02T03:04:05.678901Z'],
    ['bytea', bytes],
    ['jsonb', { a: [1, null, { b: "'" }], c: '\\"' }],
    ['text[]', odd],
    ['text[]', []],
    [
      'text[]',
      [
        ['a', 'b'],
        ['c', null],
      ],
    ],
    ['uuid[]', ['00000000-0000-7000-8000-000000000000', null]],
    ['int[]', [1, -2, null]],
    ['smallint[]', [1]],
    ['bigint[]', [9_007_199_254_740_991, 0, null]],
    ['float8[]', [0.5, null]],
    ['boolean[]', [true, false, null]],
    ['bytea[]', [bytes, Buffer.alloc(0), null]],
    ['timestamptz[]', ['2026-01-02T03:04:05.678901Z', null]],
    ['jsonb[]', [{ a: 1 }, 'text', 7, null]],
  ])('of type %s comes back as it was sent: %j', async (type, value) => {
    const sent = type === 'jsonb[]' ? (value as unknown[]).map((it) => (it === null ? null : json(it))) : value;

    expect(await echo(sent, type)).toEqual(value);
  });

  it('of type jsonb is encoded once: a string stays a string, and a list of lists stays one', async () => {
    expect(await echo(json('text'), 'jsonb')).toBe('text');
    expect(await echo(json([[1], [2, 3]]), 'jsonb')).toEqual([[1], [2, 3]]);
    expect(await echo([json([1]), json([2, 3]), json(null)], 'jsonb[]')).toEqual([[1], [2, 3], null]);
  });

  it('of an array with bounds of its own is the array', async () => {
    const { sql } = await poolForTest();

    const [row] = await sql`select '[0:1]={a,b}'::text[] as value`;

    expect(row.value).toEqual(['a', 'b']);
  });

  it('in an array may be null, but not undefined', async () => {
    await expect(echo(['a', undefined], 'text[]')).rejects.toThrow('An element of an array is undefined');
  });
});

describe('a round trip', () => {
  it.each([true, false])('is what a statement costs, the first time on a connection too (prepared: %s)', async (prepare) => {
    const { sql, proxy } = await poolForTest({ max: 1, prepare });
    await sql`select 1`;
    const trips: number[] = [];

    for (let n = 0; n < 3; n++) {
      const before = proxy.counted().roundTrips;
      await sql`select ${n}::int + ${'1'}::int as sum, ${json({ n })}::jsonb as both`;
      trips.push(proxy.counted().roundTrips - before);
    }

    expect(trips).toEqual([1, 1, 1]);
    const [prepared] = await sql<[{ count: number }]>`select count(*) as count from pg_prepared_statements`;
    expect(prepared.count).toBe(prepare ? 1 : 0);
  });
});

describe('reads', () => {
  it('share one connection concurrently, while the other connections serve writes', async () => {
    const { sql, proxy } = await poolForTest();
    const reads = sql.of('a request', { lane: 'reads' });
    const inside = Promise.withResolvers<void>();
    const writing = [1, 2, 3].map(() =>
      sql.begin(async (tx) => {
        await connection(tx);
        await inside.promise;
      }),
    );
    await connection(reads);
    const before = proxy.counted().roundTrips;

    const pids = await Promise.all(Array.from({ length: 30 }, () => connection(reads)));

    expect(new Set(pids).size).toBe(1);
    expect(proxy.counted().roundTrips - before).toBeLessThan(10);
    inside.resolve();
    await Promise.all(writing);
  });

  it('fail alone: other statements sent at the same time succeed', async () => {
    const { sql } = await poolForTest();
    const reads = sql.of('a request', { lane: 'reads' });

    const answers = await Promise.allSettled([1, 0, 2].map((n) => reads<[{ n: number }]>`select 2 / ${n}::int as n`));

    expect(answers.map((it) => (it.status === 'fulfilled' ? it.value[0].n : it.reason.code))).toEqual([2, '22012', 1]);
  });

  it.each([1, 2, 3, 4, 10])('and writes together use no more connections than the pool allows: %i', async (max) => {
    const { sql } = await poolForTest({ max });
    const reads = sql.of('a request', { lane: 'reads' });
    const slow = (by: Sql) => by<[{ pid: number }]>`select pg_backend_pid() as pid from pg_sleep(${0.002})`;

    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? slow(reads) : sql.begin((tx) => slow(tx)))));

    expect(new Set(answers.map(([row]) => row.pid)).size).toBeLessThanOrEqual(max);
  });
});

describe('a lost connection', () => {
  it('is reported to each of its users, also inside a transaction, and later statements use new ones', async () => {
    const { sql, proxy } = await poolForTest();
    for (let round = 0; round < 5; round++) {
      const inside = [1, 2].map(() => sql.begin((tx) => tx`select pg_sleep(30)`));
      const outcomes = Promise.allSettled([sql`select pg_sleep(30)`, ...inside]);
      await expect.poll(() => sleeping(sql), patient).toBe(3);

      proxy.cut();

      const reasons = (await outcomes).map((it) => (it.status === 'rejected' ? it.reason : null));
      expect(reasons).toEqual([expect.any(ConnectionLost), expect.any(ConnectionLost), expect.any(ConnectionLost)]);
      expect(reasons.every(isDatabaseUnavailable)).toBe(true);
      await expect.poll(() => connection(sql).catch(() => null), patient).not.toBeNull(); // an idle connection may be found lost only now
      expect(await Promise.all(Array.from({ length: 8 }, () => connection(sql)))).toHaveLength(8);
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`;
      await expect.poll(() => sleeping(sql), patient).toBe(0);
    }
  }, 60_000);

  it('between two statements of a transaction ends it, however soon or late the next one is sent', async () => {
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

  it('is reported for a database that does not respond in time', async () => {
    const { sql } = await poolForTest({ answerMs: 100 });

    await expect(sql`select pg_sleep(30)`).rejects.toThrow(ConnectionLost);
  });

  it('is reported for a connection whose other end is silent, and the pool continues with new ones', async () => {
    const { sql, proxy } = await poolForTest({ answerMs: 300 });
    const reads = sql.of('a request', { lane: 'reads' });
    await Promise.all([1, 2, 3].map(() => sql.begin((tx) => connection(tx))));
    proxy.silenceAll();

    const asked = [sql`select 1`, reads`select 1`, sql.begin((tx) => tx`select 1`)];
    const outcomes = await Promise.allSettled(asked);

    expect(outcomes.map((it) => it.status === 'rejected' && it.reason)).toEqual(asked.map(() => expect.any(ConnectionLost)));
    expect(await Promise.all(Array.from({ length: 12 }, () => connection(sql)))).toHaveLength(12);
    expect(await connection(reads)).toBeGreaterThan(0);
  });

  it.each([
    ['never speaks', () => {}],
    ['closes at once', (socket: Socket) => void socket.destroy()],
    ['closes after the first message', (socket: Socket) => void socket.once('data', () => socket.end())],
    ['speaks another language', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('is reported for a server that %s', async (_, greet) => {
    let calls = 0;
    const server = createServer((socket) => {
      calls++;
      socket.on('error', () => {});
      greet(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const sql = openPool(`postgres://nobody:x@127.0.0.1:${port}/none`, { connectMs: 200 });
    onTestFinished(async () => {
      await sql.end();
      server.close();
    });

    await expect(sql`select ${1}`).rejects.toThrow(ConnectionLost);
    await expect(sql.begin((tx) => tx`select 1`)).rejects.toThrow(ConnectionLost);
    expect(calls).toBe(2);
  });

  it('is not reported for a server that refuses: its code is kept', async () => {
    const { url, drop } = await createDatabase();
    const other = new URL(url);
    other.pathname = '/nowhere';
    const sql = openPool(other.href);
    onTestFinished(async () => {
      await sql.end();
      await drop();
    });

    await expect(sql`select 1`).rejects.toMatchObject({ code: '3D000' });
  });

  it('is reported when no connection becomes free in time', async () => {
    const { sql } = await poolForTest({ max: 1, connectMs: 1_000 });
    const inside = Promise.withResolvers<void>();
    const busy = sql.begin(async (tx) => {
      await tx`select 1`;
      await inside.promise;
    });

    await expect(sql`select 1`).rejects.toThrow('No connection to the database became free within 1000 ms');

    inside.resolve();
    await busy;
  });

  it('is reported for a database that does not exist', async () => {
    const sql = openPool('postgres://nobody:x@127.0.0.1:1/none');
    onTestFinished(() => sql.end());

    await expect(sql`select 1`).rejects.toThrow(/out of reach.*ECONNREFUSED/);
  });
});
