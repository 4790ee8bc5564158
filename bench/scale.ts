import { openPool } from '../functions/platform/pool.ts';
import { startThrowawayPostgres } from '../local/postgres/throwaway.ts';
import { say } from '../local/say.ts';
import type { Env } from '../schema/env.ts';
import { makeHistory, SUBTASKS_EACH } from './support/history.ts';
import { freshDatabase } from './database.ts';
import { measureAll, type Results } from './scale/measure.ts';
import { touchedStatements } from './scale/metered.ts';
import { printRates, printTable } from './scale/print.ts';
import { measureRates } from './scale/rates.ts';
import { type Actors, createActors } from './scale/stage.ts';
import { allStatements } from './scale/statements.ts';

const { BENCH_SCALE: scale = '0,1000,5000', BENCH_ROUNDS: rounds = '5' } = process.env;
/** Number of finished tasks in each database; the others are compared to the first. */
const SIZES = (scale === 'full' ? '0,10000,100000' : scale).split(',').map(Number);
/** Chunks of output of each subtask: 1 million for 10,000 tasks, 5 million for 100,000. */
const logsEach = (tasks: number) => (tasks > 10_000 ? 5 : 10);

const fill = async (url: string, tasks: number) => {
  const started = performance.now();
  const sql = openPool(url);
  if (tasks > 0) await makeHistory(sql, { tasks, logsEach: logsEach(tasks) });
  await sql`vacuum`; // as autovacuum does each minute
  await sql`analyze`;
  await sql.end();
  say(`${tasks} finished tasks of ${SUBTASKS_EACH} subtasks created in ${Math.round((performance.now() - started) / 1_000)} s`);
};

const measure = async (serverUrl: string, tasks: number): Promise<{ env: Env; actors: Actors; results: Results }> => {
  const env = await freshDatabase(serverUrl, `scale_${tasks}`);
  const actors = await createActors(env);
  await fill(env.DATABASE_URL, tasks);
  return { env, actors, results: await measureAll(env, actors, Number(rounds)) };
};

say(
  `Each statement of the backend, the median of ${rounds} runs over one connection: time with the round trip, blocks of tables and indexes.`,
);
const server = await startThrowawayPostgres('test');
try {
  const measured: Awaited<ReturnType<typeof measure>>[] = [];
  for (const size of SIZES) measured.push(await measure(server.url, size));
  printTable(
    SIZES,
    measured.map(({ results }) => results),
    say,
  );
  printRates(SIZES, await measureRates(measured, Number(rounds)), say);
  const missing = (await allStatements()).filter((name) => !touchedStatements.has(name));
  if (missing.length > 0) throw new Error(`These statements were never run; add them to bench/scale/operations.ts: ${missing.join(', ')}`);
} finally {
  await server.stop();
}
