import { describe, expect, it } from 'vitest';
import { relay } from '../../functions/domain/outbox/relay.ts';
import { backendForTest } from '../support/backend.ts';
import { countBlocks } from '../../bench/support/blocks.ts';

/** An outbox with two files to remove. The blob store fails for the file in `failsAt`. */
const outboxForTest = async () => {
  const removed: string[] = [];
  const store = { failsAt: 'a' };
  const unused = () => Promise.reject(new Error('not used by this test'));
  const remove = async (key: string) => {
    if (key === store.failsAt) throw new Error('the store is unavailable');
    removed.push(key);
  };
  const { ctx } = await backendForTest({ blobs: { upload: unused, download: unused, stat: unused, remove } });
  await ctx.sql`
    insert into outbox (organization_id, topic, payload)
    select organization_id, 'blob.remove', jsonb_build_object('key', key) from organizations, unnest(array['a', 'b']) as key`;
  const now = async () => (await ctx.sql<[{ now: number }]>`select extract(epoch from clock_timestamp())::float8 as now`)[0].now;
  const left = () => ctx.sql<{ tries: number; last_error: string; at: number }[]>`
    select tries, last_error, extract(epoch from available_at)::float8 as at from outbox`;
  return { ctx, removed, store, now, left, passTime: () => ctx.sql`update outbox set available_at = clock_timestamp()` };
};

describe('the outbox', () => {
  it('processes what it can, and retries what failed when it is due', async () => {
    const { ctx, removed, store, left, passTime } = await outboxForTest();

    const replies = [await relay(ctx), await relay(ctx)];
    store.failsAt = '';
    await passTime();
    replies.push(await relay(ctx));

    expect(replies).toEqual([
      { relayed: 1, postponed: 1 },
      { relayed: 0, postponed: 0 },
      { relayed: 1, postponed: 0 },
    ]);
    expect(removed).toEqual(['b', 'a']);
    expect([...(await left())]).toEqual([]);
  });

  it('delays a failed row by half to all of 30 s, doubled each time', async () => {
    const { ctx, now, left, passTime } = await outboxForTest();

    for (const [tries, most] of [30, 60, 120, 240].entries()) {
      const before = await now();
      await relay(ctx);
      const after = await now();

      const [row] = await left();
      expect(row).toMatchObject({ tries: tries + 1, last_error: 'the store is unavailable' });
      expect((row?.at ?? 0) - before).toBeGreaterThanOrEqual(most / 2);
      expect((row?.at ?? 0) - after).toBeLessThanOrEqual(most);
      await passTime();
    }
  });

  it('is processed by several relays at once, none of which waits for the rows of another', async () => {
    const { ctx, removed, store } = await outboxForTest();
    store.failsAt = '';

    const reply = await ctx.sql.begin(async (sql) => {
      await sql`select from outbox where payload ->> 'key' = 'a' for update`;
      return relay(ctx);
    });

    expect(reply).toEqual({ relayed: 1, postponed: 0 });
    expect(removed).toEqual(['b']);
    expect(await relay(ctx)).toEqual({ relayed: 1, postponed: 0 });
  });

  it('delays no row by more than an hour', async () => {
    const { ctx, now, left } = await outboxForTest();
    await ctx.sql`update outbox set tries = 5000`;

    await relay(ctx);

    const [row] = await left();
    expect(row?.tries).toBe(5001);
    expect((row?.at ?? 0) - (await now())).toBeLessThanOrEqual(3_600);
  });

  it('reads a backlog once in a sweep, however long it is', async () => {
    const queues = {
      send: async () => [],
      bury: async () => {},
      listDead: async () => ({ letters: [], total: 0 }),
      redrive: async () => 0,
    };
    const { ctx } = await backendForTest({ pool: 1, queues });
    const readEach = async (rows: number) => {
      await ctx.sql`truncate outbox`;
      await ctx.sql`
        insert into outbox (organization_id, topic, payload)
        select organization_id, 'ready', '{"subtask_ids": []}' from organizations, generate_series(1, ${rows})`;
      const { answer, rows: read } = await countBlocks(ctx.sql, () => relay(ctx));
      expect(answer).toEqual({ relayed: rows, postponed: 0 });
      return (read.outbox_pkey ?? 0) / rows;
    };

    expect(await readEach(2_000)).toBeLessThanOrEqual(await readEach(100));
  });
});
