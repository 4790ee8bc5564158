import { describe, expect, it, onTestFinished } from 'vitest';
import { createContext } from '../../functions/platform/context.ts';
import { completeMany, start } from '../../functions/domain/subtasks/subtasks.ts';
import { claim, heartbeat } from '../../functions/domain/workers/workers.ts';
import type { WorkerPrincipal } from '../../functions/domain/principal.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { drain, enrol, type TestWorker } from '../support/worker.ts';

const subtasks = (count: number) => Array.from({ length: count }, (_, n) => ({ key: `s${n}`, goal: 'x' }));

/** The same backend seen through a proxy that counts, on one connection with its statements prepared. */
const counted = async (backend: Backend, worker: TestWorker) => {
  const url = new URL(backend.url);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const ctx = createContext({ ...backend.ctx.env, DATABASE_URL: url.href, DATABASE_POOL_SIZE: 1 });
  onTestFinished(async () => {
    await ctx.close();
    await proxy.close();
  });
  const [organization] = await ctx.sql<[{ organization_id: string }]>`select organization_id from workers where worker_id = ${worker.worker_id}`;
  const principal: WorkerPrincipal = { kind: 'worker', worker_id: worker.worker_id, nears_end: false, ...organization };
  const measure = async <T>(work: () => Promise<T>): Promise<{ answer: T; roundTrips: number }> => {
    const before = proxy.counted().roundTrips;
    const answer = await work();
    return { answer, roundTrips: proxy.counted().roundTrips - before };
  };
  return { ctx, principal, measure };
};

describe('a hot transition', () => {
  it('costs one round trip to the database: claim with start, start, heartbeat, complete of one and of ten', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { ctx, principal, measure } = await counted(backend, worker);
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: subtasks(60) } });
    const take = (limit: number, begin: boolean) => claim(ctx, principal, { claim_request_id: crypto.randomUUID(), limit, start: begin });
    const ended = (claimed: Awaited<ReturnType<typeof take>>['claimed']) =>
      claimed.map(({ subtask_id, lease_token, attempt }) => ({ subtask_id, lease_token, attempt, result: 1 }));
    const walk = async () => {
      const one = await measure(() => take(1, false));
      const [it] = one.answer.claimed;
      if (!it) throw new Error('nothing was claimed');
      const ten = await measure(() => take(10, true));
      return {
        claim: one.roundTrips,
        claim_ten_and_start: ten.roundTrips,
        start: (await measure(() => start(ctx, principal, it))).roundTrips,
        heartbeat: (await measure(() => heartbeat(ctx, principal, { leases: [it].map(({ subtask_id, lease_token, attempt }) => ({ subtask_id, lease_token, attempt })) }))).roundTrips,
        complete: (await measure(() => completeMany(ctx, principal, ended([it])))).roundTrips,
        complete_ten: (await measure(() => completeMany(ctx, principal, ended(ten.answer.claimed)))).roundTrips,
      };
    };
    await walk(); // prepares the statements

    expect(await walk()).toEqual({ claim: 1, claim_ten_and_start: 1, start: 1, heartbeat: 1, complete: 1, complete_ten: 1 });
  });
});

describe('a subtask', () => {
  it('writes at most 6 kB of WAL in its whole life, with attempts, events and edges', async () => {
    const backend = await backendForTest({ pool: 1 });
    const worker = await enrol(backend);
    const middle = Array.from({ length: 48 }, (_, n) => `m${n}`);
    const body = {
      goal: 'fan out and in',
      subtasks: [
        { key: 'first', goal: 'x' },
        ...middle.map((key) => ({ key, goal: 'x', dependencies: ['first'] })),
        { key: 'last', goal: 'x', dependencies: middle },
      ],
    };
    const written = async () => {
      const [row] = await backend.ctx.sql<[{ bytes: number }]>`
        with flushed as materialized (select pg_stat_force_next_flush())
        select (pg_stat_get_backend_wal(pg_backend_pid())).wal_bytes::float8 as bytes from flushed`;
      return row.bytes;
    };
    const [{ server }] = await backend.ctx.sql<[{ server: number }]>`select current_setting('server_version_num')::int as server`;
    if (server < 180_000) return; // counts of one connection came with PostgreSQL 18

    await backend.admin.ok.submitTask({ body });
    await drain(worker);
    await written();
    const before = await written();
    await backend.admin.ok.submitTask({ body });
    const done = await drain(worker);
    await written();
    const perSubtask = (await written() - before) / done.length;

    expect(done).toHaveLength(50);
    expect(perSubtask).toBeGreaterThan(500);
    expect(perSubtask).toBeLessThan(6_000);
  });
});
