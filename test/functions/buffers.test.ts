import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOBS, type Operation, OPERATIONS, SEARCHES } from '../../bench/scale/operations.ts';
import { type Actors, clear, createActors, nextClaim, openStage, submitted } from '../../bench/scale/stage.ts';
import { claim } from '../../functions/domain/attempts/attempts.ts';
import { openPool } from '../../functions/platform/pool.ts';
import { type Env, parseEnv } from '../../schema/env.ts';
import { createDatabase } from '../support/backend.ts';
import { countBlocks } from '../../bench/support/blocks.ts';
import { makeHistory } from '../../bench/support/history.ts';

const TASKS = 10_000;
/** Postgres plans the first five executions of a statement on a connection before it may cache a generic plan. */
const WARM_UP = 6;
/** The extra blocks of an operation that reads a dozen indexes, some of them several times, when each is one level deeper. */
const SLACK = 40;

const claimOnly: Operation = async (at) => {
  await submitted(at);
  return () => claim(at.ctx, at.worker, { ...nextClaim(), start: false });
};

type Bound = {
  work: Operation | null | undefined;
  /** The maximum number of blocks that it may read. */
  most: number;
  /** The maximum as a multiple of the blocks in a fresh database. Omitted where the result depends on the data: then only `most` applies. */
  growth?: number;
};

const BOUNDS = {
  // Most of them are for the terms of its search document: the index over words becomes deeper.
  'submit of ten subtasks': { work: OPERATIONS.submitTask, most: 800, growth: 2 },
  claim: { work: claimOnly, most: 130, growth: 1.5 },
  'claim with start': { work: OPERATIONS.claimSubtasks, most: 150, growth: 1.5 },
  start: { work: OPERATIONS.startSubtask, most: 100, growth: 1.5 },
  complete: { work: OPERATIONS.completeSubtask, most: 200, growth: 1.5 },
  'complete and claim': { work: OPERATIONS.completeSubtasks, most: 250, growth: 1.5 },
  'heartbeat with four leases': { work: OPERATIONS.heartbeat, most: 100, growth: 1.5 },
  'end what is overdue': { work: JOBS['end what is overdue'], most: 450, growth: 1.5 },
  'nothing overdue': { work: JOBS['nothing overdue'], most: 20, growth: 1.5 },
  'list of tasks': { work: OPERATIONS.listTasks, most: 120 },
  'a task': { work: OPERATIONS.getTask, most: 10, growth: 1.5 },
  'subtasks of a task': { work: OPERATIONS.listSubtasks, most: 20 },
  'events of a task': { work: OPERATIONS.listEvents, most: 20 },
  'logs of a subtask': { work: OPERATIONS.listLogs, most: 20 },
  'list of workers': { work: OPERATIONS.listWorkers, most: 100, growth: 1.5 },
  'why a subtask waits': { work: OPERATIONS.explainSubtask, most: 150, growth: 1.5 },
  'due rows of the outbox': { work: JOBS.relay, most: 200, growth: 1.5 },
  'no due row of the outbox': { work: JOBS['nothing to relay'], most: 20, growth: 1.5 },
  'messages of the queues': { work: JOBS['messages of the queues'], most: 150, growth: 1.5 },
  reconcile: { work: JOBS.reconcile, most: 60, growth: 1.5 },
  'look whether all is done': { work: JOBS['look whether all is done'], most: 40, growth: 1.5 },
  'nothing to purge': { work: JOBS['nothing to purge'], most: 20, growth: 1.5 },
  'search for a word of every task': { work: SEARCHES['a word of every task'], most: 500 },
  'search for a word of every second task': { work: SEARCHES['a word of every second task'], most: 500 },
  'search for a rare word': { work: SEARCHES['a word of one task in a thousand'], most: 500 },
  'search for two words that no task has both': { work: SEARCHES['two words that no task has both'], most: 500 },
  'search for a word of no task': { work: SEARCHES['a word of no task'], most: 500 },
  'search for a Chinese word': { work: SEARCHES['a Chinese word of one task in a thousand'], most: 500 },
  'search among running tasks': { work: SEARCHES['a word of every task, running ones'], most: 20 },
} satisfies Record<string, Bound>;
type Name = keyof typeof BOUNDS;
const bounds: readonly [Name, Bound][] = Object.entries(BOUNDS) as [Name, Bound][];

type Blocks = Record<Name, number>;

/** Uses a new connection, so that its statements are planned again. */
const measure = async (env: Env, actors: Actors): Promise<Blocks> => {
  const at = openStage(env, actors);
  const blocks: Partial<Blocks> = {};
  const run = async (work: Operation) => {
    await clear(at);
    const measured = await work(at);
    return (await countBlocks(at.plain.sql, measured)).blocks;
  };
  try {
    for (const [name, { work }] of bounds) {
      if (!work) throw new Error(`${name} is not there to be measured`);
      await at.plain.sql`vacuum`; // as the server does it by itself, each minute
      for (let round = 0; round < WARM_UP; round++) await run(work);
      blocks[name] = Math.min(await run(work), await run(work));
    }
  } finally {
    await at.plain.close();
  }
  return blocks as Blocks;
};

/** Turns autovacuum off, because it would run at unpredictable times. */
const WITHOUT_VACUUM = `
  do $$ declare t regclass; begin
    for t in select oid from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
      execute format('alter table %s set (autovacuum_enabled = off)', t);
    end loop;
  end $$`;

const openDatabase = async (tasks: number) => {
  const { url, drop } = await createDatabase();
  const env = parseEnv({ DATABASE_URL: url, SECRET_KEY: 'a secret for tests that is long enough', DATABASE_PREPARE: 'true' });
  const actors = await createActors(env);
  const sql = openPool(url);
  await sql.unsafe(WITHOUT_VACUUM);
  if (tasks > 0) await makeHistory(sql, { tasks });
  return {
    measure: () => measure(env, actors),
    analyze: () => sql`analyze`,
    close: async () => {
      await sql.end();
      await drop();
    },
  };
};

type Stages = Record<'fresh' | 'freshAnalyzed' | 'filled' | 'filledAnalyzed', Blocks>;
let found: Stages;
const databases: Awaited<ReturnType<typeof openDatabase>>[] = [];

beforeAll(async () => {
  const stages: Partial<Stages> = {};
  const fresh = await openDatabase(0);
  const filled = await openDatabase(TASKS);
  databases.push(fresh, filled);
  stages.fresh = await fresh.measure();
  await fresh.analyze();
  stages.freshAnalyzed = await fresh.measure();
  stages.filled = await filled.measure();
  await filled.analyze();
  stages.filledAnalyzed = await filled.measure();
  found = stages as Stages;
  if (process.env.PRINT_BLOCKS)
    console.table(
      Object.fromEntries(
        bounds.map(([name]) => [name, Object.fromEntries(Object.entries(found).map(([stage, blocks]) => [stage, blocks[name]]))]),
      ),
    );
}, 300_000);
afterAll(async () => {
  for (const database of databases) await database.close();
});

describe('the blocks that an operation reads stay within bounds, in a fresh database and after 10,000 finished tasks, before and after analyze:', () => {
  it.each(bounds)('%s', (name, { most, growth }) => {
    const { fresh, freshAnalyzed, filled, filledAnalyzed } = found;
    const least = Math.min(fresh[name], freshAnalyzed[name]);
    const allowed = growth === undefined ? most : Math.min(most, Math.max(least * growth, least + SLACK));

    for (const blocks of [fresh, freshAnalyzed]) expect(blocks[name]).toBeLessThanOrEqual(most);
    for (const blocks of [filled, filledAnalyzed]) expect(blocks[name]).toBeLessThanOrEqual(allowed);
  });
});
