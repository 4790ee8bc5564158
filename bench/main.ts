import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createContext } from '../functions/platform/context.ts';
import { startThrowawayPostgres } from '../local/postgres/throwaway.ts';
import type { Env } from '../schema/env.ts';
import { countRoundTrips, countWal } from './counts.ts';
import { freshDatabase } from './database.ts';
import { measureDispatch, POLL_MS } from './dispatch.ts';
import { drive, httpStep, sqlStep, type Step } from './drive.ts';
import { countRedisTrips } from './redis.ts';
import { createOwner, createWorker, submitMany } from './setup.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const TASKS = Number(process.env.BENCH_TASKS ?? 150);
const WIDTH = 8;
const LOOPS = 8;
const DISPATCHES = 10 * ROUNDS;

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const say = (line = '') => process.stdout.write(`${line}\n`);

const startServer = async (env: Env) => {
  const variables = {
    DATABASE_URL: env.DATABASE_URL,
    SECRET_KEY: env.SECRET_KEY,
    DATABASE_POOL_SIZE: String(LOOPS),
    DATABASE_PREPARE: 'true',
    LOG_LEVEL: 'error',
  };
  const child = fork(join(import.meta.dirname, 'server.ts'), { env: { ...process.env, ...variables } });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return { url, stop: () => child.kill() };
};

/** All four ways in turn, round by round, so that a machine that grows slower does so for all of them. */
const measure = async (serverUrl: string) => {
  const env = await freshDatabase(serverUrl, 'throughput', LOOPS);
  const ctx = createContext(env);
  const server = await startServer(env);
  try {
    const { caller } = await createOwner(ctx);
    const workers = await Promise.all(Array.from({ length: LOOPS }, () => createWorker(ctx, caller)));
    const sql: Step[] = workers.map(({ principal }) => sqlStep(ctx, principal));
    const http: Step[] = workers.map(({ principal, credential }) => httpStep(server.url, principal.worker_id, credential));
    const ways = {
      'SQL, one at a time': [sql, 1],
      'HTTP, one at a time': [http, 1],
      'SQL, in tens': [sql, 10],
      'HTTP, in tens': [http, 10],
    } as const;
    const rates = new Map<string, number[]>(Object.keys(ways).map((way) => [way, []]));
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [way, [steps, limit]] of Object.entries(ways)) {
        await submitMany(ctx, caller, TASKS, WIDTH);
        if (round === 0) await ctx.sql`analyze`;
        const rate = await drive(steps, limit, TASKS * (WIDTH + 2));
        if (round > 0) rates.get(way)?.push(rate); // the first round warms up
      }
      say(round === 0 ? 'warmed up' : `round ${round} of ${ROUNDS}`);
    }
    return rates;
  } finally {
    server.stop();
    await ctx.close();
  }
};

const print = (rates: ReadonlyMap<string, readonly number[]>) => {
  say();
  for (const [way, values] of rates)
    say(`${way.padEnd(22)} ${Math.round(median(values)).toString().padStart(6)} subtasks/s   (${values.map(Math.round).join(', ')})`);
  const ratio = (over: string, under: string) =>
    median((rates.get(over) ?? []).map((rate, at) => rate / (rates.get(under)?.[at] ?? Number.NaN)));
  say();
  say(`HTTP one at a time ÷ SQL one at a time   ${ratio('HTTP, one at a time', 'SQL, one at a time').toFixed(2)}`);
  say(`HTTP in tens ÷ SQL in tens               ${ratio('HTTP, in tens', 'SQL, in tens').toFixed(2)}`);
  say(`HTTP in tens ÷ SQL one at a time         ${ratio('HTTP, in tens', 'SQL, one at a time').toFixed(2)}`);
};

const withServer = async <T>(profile: 'test' | 'durable', work: (url: string) => Promise<T>): Promise<T> => {
  const server = await startThrowawayPostgres(profile);
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
};

say(`Tasks of 1 → ${WIDTH} → 1 subtasks, ${TASKS} a round, ${LOOPS} loops; Postgres with fsync and synchronous_commit on.`);
print(await withServer('durable', measure));

const percentile = (values: readonly number[], of: number) =>
  Math.round(values.toSorted((a, b) => a - b)[Math.ceil((of / 100) * values.length) - 1] ?? Number.NaN);

const printDispatch = (name: string, values: readonly number[]) =>
  say(`  ${name.padEnd(34)} p50 ${String(percentile(values, 50)).padStart(5)} ms   p95 ${String(percentile(values, 95)).padStart(5)} ms`);

const printCounts = (title: string, counts: Record<string, number>) => {
  say();
  say(title);
  for (const [name, count] of Object.entries(counts)) say(`  ${name.padEnd(28)} ${count}`);
};

say();
say(`From ready to started by the one worker that waits, ${DISPATCHES} times each:`);
const { rung, polling } = await withServer('durable', async (url) =>
  measureDispatch((await freshDatabase(url, 'dispatch')).DATABASE_URL, DISPATCHES),
);
printDispatch('with the doorbell', rung);
printDispatch(`without it, asking every ${POLL_MS} ms`, polling);

const counts = await withServer('test', async (url) => ({
  roundTrips: await countRoundTrips(await freshDatabase(url, 'round_trips')),
  redis: await countRedisTrips(await freshDatabase(url, 'redis')),
  wal: await countWal(await freshDatabase(url, 'wal')),
}));
printCounts('Round trips to the database (authentication and events included):', counts.roundTrips);
printCounts('Round trips to Redis:', counts.redis);
say(`WAL of a subtask in its whole life: ${counts.wal} bytes (without full page images)`);
