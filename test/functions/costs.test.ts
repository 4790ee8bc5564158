import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { countRoundTrips, countWal } from '../../bench/counts.ts';
import { migrate } from '../../functions/platform/migrate.ts';
import { startThrowawayPostgres } from '../../local/postgres/throwaway.ts';
import { parseEnv } from '../../schema/env.ts';
import { type Backend, backendForTest, createDatabase } from '../support/backend.ts';
import { enrol } from '../support/worker.ts';

const SECRET = 'a secret for tests that is long enough';

const freshEnv = async () => {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  return parseEnv({ DATABASE_URL: url, SECRET_KEY: SECRET });
};

describe('a hot transition', () => {
  it('costs one round trip to the database, for one subtask and for ten', async () => {
    expect(await countRoundTrips(await freshEnv())).toEqual({
      submit: 1,
      'submit under a key': 1,
      'submit under a key again': 1,
      claim: 1,
      'claim and start ten': 1,
      start: 1,
      heartbeat: 1,
      complete: 1,
      'complete ten': 1,
      'complete and claim the next': 1,
    });
  });
});

describe('a subtask', () => {
  it('writes at most 6 kB of WAL from submit to end, including attempts, events and edges', async () => {
    const server = await startThrowawayPostgres('test'); // of its own: what others hold open keeps pages from being pruned
    onTestFinished(() => server.stop());
    await migrate({ url: server.url, folder: join(import.meta.dirname, '../../schema') });

    const env = parseEnv({ DATABASE_URL: server.url, SECRET_KEY: SECRET });
    const bytes = await countWal(env);

    if (bytes === null) return; // counts of one connection came with PostgreSQL 18
    expect(bytes).toBeGreaterThan(500);
    expect(bytes).toBeLessThanOrEqual(6_000);
  }, 60_000);
});

describe('a claim', () => {
  const rowsRead = async ({ ctx }: Backend): Promise<number> => {
    await ctx.sql`select pg_stat_force_next_flush()`;
    const [row] = await ctx.sql<[{ read: number }]>`
      select (seq_tup_read + idx_tup_fetch)::float8 as read from pg_stat_user_tables where relname = 'queue_entries'`;
    return row.read;
  };

  it('reads no more of a long queue than of a short one', async () => {
    const backend = await backendForTest({ pool: 1 });
    const worker = await enrol(backend);
    const subtasks = Array.from({ length: 1_000 }, (_, n) => ({ key: `s${n}`, goal: 'x' }));
    await backend.admin.ok.submitTask({ body: { goal: 'short', subtasks: subtasks.slice(0, 100) } });
    await backend.ctx.sql`analyze`;
    await worker.claim(); // the plan is made for a short queue and kept
    for (let n = 0; n < 5; n++) await backend.admin.ok.submitTask({ body: { goal: 'long', subtasks } });

    const before = await rowsRead(backend);
    await worker.claim(10);

    expect((await rowsRead(backend)) - before).toBeLessThan(60);
  });
});
