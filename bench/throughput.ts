import type { Composed } from '../functions/platform/context.ts';
import { createContext } from '../functions/platform/context.ts';
import { callTogether, requestsOf } from './callers.ts';
import { startServer, startStandalone } from './children.ts';
import { createDatabase, freshDatabase } from './database.ts';
import { drive, httpStep, sqlStep, type Step } from './drive.ts';
import { say } from '../local/say.ts';
import { Rounds } from './figures.ts';
import { createYardstick, findPgbench } from './pgbench.ts';
import { createOwner, createWorker, enrolWorkers, submitByApi, submitMany } from './setup.ts';

/** How many loops of workers; the second is for what gets better by company. */
export const LOOPS = 8;
const MANY_LOOPS = 32;
export const WIDTH = 8;
const WIDE = 300;

export type Size = { rounds: number; tasks: number };
type Way = { name: string; measure(rounds: Rounds): Promise<void> };

/** With SQL and over the bare HTTP server, on one database. */
const waysOf = (
  ctx: Composed,
  caller: Awaited<ReturnType<typeof createOwner>>['caller'],
  steps: Record<'sql' | 'http', Step[]>,
  tasks: number,
): Way[] => {
  const way = (name: string, those: readonly Step[], limit: number, count = tasks, width = WIDTH): Way => ({
    name,
    measure: async (rounds) => {
      await submitMany(ctx, caller, count, width);
      const { rate, startedLate } = await drive(those, limit, count * (width + 2));
      rounds.add(name, rate);
      rounds.add(`${name}: started late`, startedLate);
    },
  });
  const few = { sql: steps.sql.slice(0, LOOPS), http: steps.http.slice(0, LOOPS) };
  return [
    way('SQL, one at a time', few.sql, 1),
    way('SQL, one at a time, 32 loops', steps.sql, 1),
    way('HTTP, one at a time', few.http, 1),
    way('SQL, in tens', few.sql, 10),
    way('HTTP, in tens', few.http, 10),
    way('one wide task of 1 → 300 → 1', few.sql, 1, 1, WIDE),
    way('as many subtasks in 1 → 8 → 1', few.sql, 1, Math.round((WIDE + 2) / (WIDTH + 2)), WIDTH),
  ];
};

/** Through a standalone installation, whose queues, Redis, sockets and clock work beside the requests. */
const waysOfStandalone = (
  standalone: Awaited<ReturnType<typeof startStandalone>>,
  sql: Composed['sql'],
  steps: readonly Step[],
  tasks: number,
): Way[] => {
  const way = (name: string, limit: number): Way => ({
    name,
    measure: async (rounds) => {
      await submitByApi(standalone.url, standalone.adminKey, sql, tasks, WIDTH);
      rounds.add(name, (await drive(steps, limit, tasks * (WIDTH + 2))).rate);
    },
  });
  const calls = (name: string): Way => ({
    name,
    measure: async (rounds) => {
      const ids = await submitByApi(standalone.url, standalone.adminKey, sql, 20, WIDTH);
      const next = requestsOf(standalone, ids)[name];
      if (next === undefined) return;
      const { rate, p95 } = await callTogether(next, Math.max(200, tasks * 10));
      rounds.add(`100 callers: ${name}`, rate);
      rounds.add(`100 callers: ${name}: p95 ms`, p95);
      await drive(steps, 10, await ready(sql)); // so that the next way begins with an empty queue
    },
  });
  return [way('standalone, one at a time', 1), way('standalone, in tens', 10), ...Object.keys(requestsOf(standalone, [])).map(calls)];
};

const ready = async (sql: Composed['sql']): Promise<number> => {
  const [row] = await sql<[{ count: number }]>`select count(*)::int as count from subtasks where ended_at is null`;
  return row.count;
};

/** pgbench's claim, where it is installed. */
const yardstickOf = async (serverUrl: string, seconds: number) => {
  const program = findPgbench();
  if (program === null) say('pgbench is not installed (Debian: postgresql-contrib), so nothing is compared with it');
  const yardstick = program === null ? null : await createYardstick(program, await createDatabase(serverUrl, 'yardstick'));
  const way: Way = {
    name: 'pgbench',
    measure: async (rounds) => {
      if (yardstick !== null) rounds.add('pgbench, SKIP LOCKED claim', await yardstick.measure(seconds));
    },
  };
  return { way, close: async () => yardstick?.close() };
};

/** All ways in turn, round by round, so that a machine that grows slower does so for all of them; the first round warms up. */
export const measureThroughput = async (serverUrl: string, { rounds, tasks }: Size): Promise<Rounds> => {
  const env = await freshDatabase(serverUrl, 'throughput');
  const standaloneEnv = await freshDatabase(serverUrl, 'standalone');
  const [ctx, beside] = [createContext(env), createContext(standaloneEnv)];
  const [server, standalone] = await Promise.all([startServer(env), startStandalone(standaloneEnv.DATABASE_URL)]);
  const yardstick = await yardstickOf(serverUrl, tasks < 100 ? 1 : 2);
  try {
    const { caller } = await createOwner(ctx);
    const workers = await Promise.all(Array.from({ length: MANY_LOOPS }, () => createWorker(ctx, caller)));
    const sql = workers.map(({ principal }) => sqlStep(ctx, principal));
    const http = workers.map(({ principal, credential }) => httpStep(server.url, principal.worker_id, credential));
    const enrolled = await enrolWorkers(standalone.url, standalone.adminKey, LOOPS);
    const ofStandalone = enrolled.map(({ worker_id, credential }) => httpStep(standalone.url, worker_id, credential));
    const ways = [
      yardstick.way,
      ...waysOf(ctx, caller, { sql, http }, tasks),
      ...waysOfStandalone(standalone, beside.sql, ofStandalone, tasks),
    ];
    const measured = new Rounds();
    for (let round = 0; round <= rounds; round++) {
      for (const way of ways) await way.measure(round === 0 ? new Rounds() : measured);
      if (round === 0) for (const { sql } of [ctx, beside]) await sql`analyze`;
      say(round === 0 ? 'warmed up' : `round ${round} of ${rounds}`);
    }
    return measured;
  } finally {
    await Promise.all([server.stop(), standalone.stop(), ctx.close(), beside.close(), yardstick.close()]);
  }
};
