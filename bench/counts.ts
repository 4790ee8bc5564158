import { randomUUID } from 'node:crypto';
import type { Context } from '../functions/domain/context.ts';
import { claim, completeMany, start } from '../functions/domain/attempts/attempts.ts';
import { heartbeat } from '../functions/domain/attempts/heartbeat.ts';
import * as tasks from '../functions/domain/tasks/tasks.ts';
import { type Composed, createContext } from '../functions/platform/context.ts';
import type { Claimed } from '../schema/attempt.ts';
import type { Env } from '../schema/env.ts';
import { startTcpProxy } from './support/tcp-proxy.ts';
import type { WorkerPrincipal } from '../functions/domain/principal.ts';
import { createOwner, createWorker, fanOutAndIn, submitMany } from './setup.ts';

const fence = ({ subtask_id, lease_token, attempt }: Claimed) => ({ subtask_id, lease_token, attempt });
const done = (claimed: readonly Claimed[]) => claimed.map((it) => ({ ...fence(it), result: 1 }));

/** Runs work on a fresh, migrated database over one connection, and counts its round trips and bytes. */
const counted = async <T>(env: Env, work: (ctx: Composed, roundTrips: () => number) => Promise<T>): Promise<T> => {
  const url = new URL(env.DATABASE_URL);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const ctx = createContext({ ...env, DATABASE_URL: url.href, DATABASE_POOL_SIZE: 1, DATABASE_PREPARE: true });
  try {
    return await work(ctx, () => proxy.counted().roundTrips);
  } finally {
    await ctx.close();
    await proxy.close();
  }
};

/** Round trips to the database of each hot transition, with prepared statements; authenticating a worker needs none. */
export const countRoundTrips = (env: Env): Promise<Record<string, number>> =>
  counted(env, async (ctx, roundTrips) => {
    const { caller } = await createOwner(ctx);
    const { principal } = await createWorker(ctx, caller);
    await submitMany(ctx, caller, 30, 2);
    const counts: Record<string, number> = {};
    const count = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const before = roundTrips();
      const answer = await work();
      counts[name] = roundTrips() - before;
      return answer;
    };
    const take = async (limit: number, begin: boolean) =>
      (await claim(ctx, principal, { claim_request_id: randomUUID(), limit, start: begin })).claimed;
    const walk = async () => {
      const spec = fanOutAndIn(2);
      await count('submit', () => tasks.submit(ctx, caller, spec));
      const once = { key: randomUUID(), operation: 'submitTask', hash: 'x', secret: false };
      await count('submit under a key', () => tasks.submit(ctx, caller, spec, once));
      await count('submit under a key again', () => tasks.submit(ctx, caller, spec, once));
      const [one] = await count('claim', () => take(1, false));
      if (one === undefined) throw new Error('nothing was claimed');
      const ten = await count('claim and start ten', () => take(10, true));
      await count('start', () => start(ctx, principal, fence(one)));
      await count('heartbeat', () => heartbeat(ctx, principal, { leases: [fence(one), ...ten.map(fence)] }));
      await count('complete', () => completeMany(ctx, principal, { completions: done([one]) }));
      await count('complete ten', () => completeMany(ctx, principal, { completions: done(ten) }));
      const next = { claim_request_id: randomUUID(), limit: 1, start: true };
      const held = await take(1, true);
      const { claim: last } = await count('complete and claim the next', () =>
        completeMany(ctx, principal, { completions: done(held), claim: next }),
      );
      await completeMany(ctx, principal, { completions: done(last?.claimed ?? []) });
    };
    await walk(); // prepares the statements
    await walk();
    return counts;
  });

const written = async (ctx: Context): Promise<number> => {
  const [row] = await ctx.sql<[{ bytes: number }]>`
    with flushed as materialized (select pg_stat_force_next_flush())
    select (pg_stat_get_backend_wal(pg_backend_pid())).wal_bytes::float8 as bytes from flushed`;
  return row.bytes;
};

/**
 * Bytes of WAL that one subtask writes in total: submitted in a fan of 48, claimed with start, and completed by a request that claims
 * the next; the requests of `workers` arrive together. Counted for one connection, without full page images, which the server's
 * settings disable; null before PostgreSQL 18.
 */
export const countWal = (env: Env, workers = 1): Promise<number | null> =>
  counted(env, async (composed) => {
    const [server] = await composed.sql<[{ version: number }]>`select current_setting('server_version_num')::int as version`;
    if (server.version < 180_000) return null;
    const { caller } = await createOwner(composed);
    const principals = await Promise.all(Array.from({ length: workers }, async () => (await createWorker(composed, caller)).principal));
    const spec = fanOutAndIn(48);
    const live = async () => {
      const ctx = { ...composed, sql: composed.sql.of(randomUUID()) };
      const step = async (principal: WorkerPrincipal, held: readonly Claimed[]): Promise<readonly Claimed[]> => {
        const next = { claim_request_id: randomUUID(), limit: 1, start: true };
        if (held.length === 0) return (await claim(ctx, principal, next)).claimed;
        return (await completeMany(ctx, principal, { completions: done(held), claim: next })).claim?.claimed ?? [];
      };
      await tasks.submit(ctx, caller, spec);
      let held: (readonly Claimed[])[] = principals.map(() => []);
      do held = await Promise.all(principals.map((principal, at) => step(principal, held[at] ?? [])));
      while (held.some((those) => those.length > 0));
    };
    await live();
    await written(composed);
    const before = await written(composed);
    await live();
    await written(composed);
    return Math.round(((await written(composed)) - before) / 50);
  });
