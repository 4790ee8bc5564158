import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Lane, Pool } from '../../../functions/domain/ports/pool.ts';
import { openPool, type PoolSettings } from '../../../functions/platform/pool.ts';
import { createDatabase } from '../../support/backend.ts';

const poolForTest = async (settings: PoolSettings) => {
  const { url, drop } = await createDatabase();
  const sql = openPool(url, settings);
  onTestFinished(async () => {
    await sql.end();
    await drop();
  });
  return sql;
};

const ask = (sql: Pool, lane: Lane, signal?: AbortSignal) => sql.of(randomUUID(), { lane, signal });
const select = async (sql: Pool) => (await sql`select 1`).length;

/** This many transactions of a lane, each of which has begun or waits; they end together. */
const hold = (sql: Pool, lane: Lane, count: number) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = 0;
  const work = async () => {
    begun++;
    await promise;
  };
  const held = Promise.all(Array.from({ length: count }, () => ask(sql, lane).begin(work)));
  return {
    begun: () => begun,
    end: async () => {
      resolve();
      await held;
    },
  };
};

describe('a lane', () => {
  it('of callers and of reads leaves connections to workers and to internal work', async () => {
    const sql = await poolForTest({ max: 8, connectMs: 20_000 });
    const callers = hold(sql, 'callers', 20);
    const reads = Array.from({ length: 20 }, () => ask(sql, 'reads')`select pg_sleep(${0.2})`);
    await expect.poll(callers.begun).toBe(4);

    expect(await ask(sql, 'workers').begin(async (tx) => (await tx`select 1`).length)).toBe(1);
    expect(await select(ask(sql, 'inside'))).toBe(1);

    expect(callers.begun()).toBe(4);
    await Promise.all(reads);
    await callers.end();
  });

  it('of workers leaves a connection to callers, and one to reads', async () => {
    const sql = await poolForTest({ max: 8, connectMs: 20_000 });
    const workers = hold(sql, 'workers', 20);
    await expect.poll(workers.begun).toBe(6);

    expect(await select(ask(sql, 'callers'))).toBe(1);
    expect(await select(ask(sql, 'reads'))).toBe(1);

    expect(workers.begun()).toBe(6);
    await workers.end();
  });

  it('refuses a new request at once while its queue is full, but no request that had a connection before', async () => {
    const sql = await poolForTest({ max: 4, waiting: 3, connectMs: 20_000 });
    const known = ask(sql, 'callers');
    await known`select 1`;
    const callers = hold(sql, 'callers', 2 + 3);
    await expect.poll(callers.begun).toBe(2);

    await expect(select(ask(sql, 'callers'))).rejects.toMatchObject({ code: 'unavailable', status: 503 });
    const later = select(known);
    expect(await select(ask(sql, 'reads'))).toBe(1);

    await callers.end();
    expect(await later).toBe(1);
  });

  it('does nothing for a caller that has disconnected, and serves the next one', async () => {
    const sql = await poolForTest({ max: 4, connectMs: 20_000 });
    const callers = hold(sql, 'callers', 2);
    await expect.poll(callers.begun).toBe(2);
    const gone = new AbortController();
    const abandoned = ask(sql, 'callers', gone.signal)`insert into organizations (name) values ('abandoned')`.catch(
      (error: Error) => error,
    );
    const next = select(ask(sql, 'callers'));

    gone.abort();

    expect(await abandoned).toMatchObject({ message: expect.stringContaining('closed the connection') });
    await callers.end();
    expect(await next).toBe(1);
    await expect(async () => ask(sql, 'callers', gone.signal)`insert into organizations (name) values ('abandoned')`).rejects.toThrow(
      'closed the connection',
    );
    expect(await sql`select from organizations`).toHaveLength(0);
  });

  it.each([1, 2, 3])('may use all connections if there are few: %i', async (max) => {
    const sql = await poolForTest({ max, connectMs: 20_000 });

    for (const lane of ['inside', 'workers', 'callers', 'reads'] as const) {
      const held = hold(sql, lane, max);
      await expect.poll(held.begun).toBe(max);
      await held.end();
    }
  });
});
