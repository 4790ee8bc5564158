import { setTimeout as pause } from 'node:timers/promises';
import { openPool } from '../functions/platform/postgres.ts';
import { startThrowawayPostgres } from '../local/postgres/throwaway.ts';
import { makeHistory, SUBTASKS_EACH } from '../test/support/history.ts';
import { freshDatabase } from './database.ts';
import { type Run, touchedStatements } from './scale/metered.ts';
import { JOBS, type Operation, OPERATIONS, SEARCHES } from './scale/operations.ts';
import { clear, createActors, openStage, type Stage } from './scale/stage.ts';
import { allStatements } from './scale/statements.ts';

/** Finished tasks of each database; the first is the one that the others are compared to. */
const SIZES = (process.env.BENCH_SCALE === 'full' ? '0,10000,100000' : (process.env.BENCH_SCALE ?? '0,1000,5000')).split(',').map(Number);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
/** A connection plans a statement anew five times before it keeps a plan. */
const WARM_UP = 6;
/** Chunks of output of each subtask: 1 M of 10,000 tasks, 5 M of 100,000. */
const logsEach = (tasks: number) => (tasks > 10_000 ? 5 : 10);

type Measured = { operation: string; statement: string; ms: number; blocks: number };
type Results = Map<string, Measured>;

const say = (line = '') => process.stdout.write(`${line}\n`);
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const operations: [string, Operation, 'search' | undefined][] = [
  ...Object.entries(OPERATIONS).flatMap(([name, operation]) => (operation === null ? [] : [[name, operation, undefined] as const])),
  ...Object.entries(JOBS).map(([name, operation]) => [name, operation, undefined] as const),
  ...Object.entries(SEARCHES).map(([name, operation]) => [`search: ${name}`, operation, 'search'] as const),
].map(([name, operation, kind]) => [name, operation, kind]);

const fill = async (url: string, tasks: number) => {
  const sql = openPool(url);
  if (tasks > 0) await makeHistory(sql, { tasks, logsEach: logsEach(tasks) });
  await sql`vacuum`; // as the server does it by itself, each minute
  await sql`analyze`;
  await sql.end();
};

/** Runs an operation as often as needed; the runs of its statements, by statement. */
const runsOf = async (at: Stage, operation: Operation, runs: Run[]): Promise<Map<string, Run[]>> => {
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    await clear(at);
    const work = await operation(at);
    if (round === WARM_UP) runs.length = 0;
    await work();
  }
  return Map.groupBy(runs, ({ name, text }) => `${name}\n${text}`);
};

const measure = async (serverUrl: string, tasks: number): Promise<Results> => {
  const env = await freshDatabase(serverUrl, `scale_${tasks}`);
  const runs: Run[] = [];
  const at = openStage(env, await createActors(env), (run) => runs.push(run));
  const results: Results = new Map();
  try {
    const started = performance.now();
    await fill(env.DATABASE_URL, tasks);
    say(`${tasks} finished tasks of ${SUBTASKS_EACH} subtasks made in ${Math.round((performance.now() - started) / 1_000)} s`);
    await pause(1_000); // for what the server does behind it
    for (const [name, operation, kind] of operations)
      for (const [key, those] of await runsOf(at, operation, runs)) {
        const id = kind === 'search' ? `${name}\n${key}` : key;
        if (results.has(id)) continue;
        const [statement = ''] = key.split('\n');
        results.set(id, {
          operation: name,
          statement,
          ms: median(those.map(({ ms }) => ms)),
          blocks: median(those.map(({ blocks }) => blocks)),
        });
      }
  } finally {
    await at.plain.close();
  }
  return results;
};

const print = (all: readonly Results[]) => {
  say();
  say(`${''.padEnd(78)}${SIZES.map((size) => `${size} tasks`.padStart(18)).join('')}   blocks ÷ fresh`);
  say(
    `${'operation'.padEnd(40)}${'statement'.padEnd(38)}${SIZES.map(() => '      ms   blocks')
      .map((it) => it.padStart(18))
      .join('')}`,
  );
  const [fresh = new Map() as Results] = all;
  for (const key of new Set(all.flatMap((results) => [...results.keys()]))) {
    const found = all.map((results) => results.get(key));
    const { operation = '', statement = '' } = found.find((it) => it !== undefined) ?? {};
    const cells = found.map((it) =>
      it === undefined ? '–'.padStart(18) : `${it.ms.toFixed(2).padStart(9)}${String(it.blocks).padStart(9)}`,
    );
    const ratio = (found.at(-1)?.blocks ?? Number.NaN) / Math.max(1, fresh.get(key)?.blocks ?? Number.NaN);
    say(`${operation.slice(0, 39).padEnd(40)}${statement.slice(0, 37).padEnd(38)}${cells.join('')}${ratio.toFixed(2).padStart(9)}`);
  }
};

say(
  `Each statement of the backend, the median of ${ROUNDS} runs over one connection: time with the round trip, blocks of tables and indexes.`,
);
const server = await startThrowawayPostgres('test');
try {
  const all: Results[] = [];
  for (const size of SIZES) all.push(await measure(server.url, size));
  print(all);
  const missing = (await allStatements()).filter((name) => !touchedStatements.has(name));
  if (missing.length > 0) throw new Error(`These statements were never sent; add them to bench/scale/operations.ts: ${missing.join(', ')}`);
} finally {
  await server.stop();
}
