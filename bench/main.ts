import { countRoundTrips, countWal } from './counts.ts';
import { freshDatabase, withServer } from './database.ts';
import { measureDispatch, POLL_MS } from './dispatch.ts';
import { say } from '../local/say.ts';
import { percentile, type Rounds } from './figures.ts';
import { countRedisTrips } from './redis.ts';
import { targetRows } from './targets.ts';
import { LOOPS, measureThroughput, WIDTH } from './throughput.ts';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const TASKS = Number(process.env.BENCH_TASKS ?? 150);
const DISPATCHES = 10 * ROUNDS;

const digitsOf = (value: number) => (value < 10 ? 2 : 0);

const printRounds = (rounds: Rounds) => {
  say();
  for (const name of rounds.names()) {
    const [middle, values] = [rounds.median(name), rounds.of(name)];
    const shown = values.map((value) => value.toFixed(digitsOf(value))).join(', ');
    say(`${name.padEnd(46)} ${middle.toFixed(digitsOf(middle)).padStart(7)}   (${shown})`);
  }
};

const printDispatch = (name: string, values: readonly number[]) => {
  const shown = (of: number) => `p${of} ${percentile(values, of).toFixed(0).padStart(5)} ms`;
  say(`  ${name.padEnd(34)} ${shown(50)}   ${shown(95)}`);
};

const printCounts = (title: string, counts: Record<string, number>) => {
  say();
  say(title);
  for (const [name, count] of Object.entries(counts)) say(`  ${name.padEnd(28)} ${count}`);
};

say(`Tasks of 1 → ${WIDTH} → 1 subtasks, ${TASKS} per round, ${LOOPS} loops; Postgres with fsync and synchronous_commit on.`);
const rounds = await withServer('durable', (url) => measureThroughput(url, { rounds: ROUNDS, tasks: TASKS }));
printRounds(rounds);

say();
say(`Time from ready to started, with one waiting worker, ${DISPATCHES} times each:`);
const { rung, polling } = await withServer('durable', async (url) =>
  measureDispatch((await freshDatabase(url, 'dispatch')).DATABASE_URL, DISPATCHES),
);
printDispatch('with the doorbell', rung);
printDispatch(`without it, polling every ${POLL_MS} ms`, polling);

const counts = await withServer('test', async (url) => ({
  roundTrips: await countRoundTrips(await freshDatabase(url, 'round_trips')),
  redis: await countRedisTrips(await freshDatabase(url, 'redis')),
  wal: await countWal(await freshDatabase(url, 'wal')),
  walTogether: await countWal(await freshDatabase(url, 'wal_together'), 10),
}));
printCounts('Round trips to the database (authentication and events included):', counts.roundTrips);
printCounts('Round trips to Redis:', counts.redis);
say(`WAL of a subtask in total: ${counts.wal} bytes, with ten workers in one statement ${counts.walTogether} (without full page images)`);

say();
say(`${'Targets'.padEnd(56)} ${'now'.padEnd(18)} target`);
for (const [what, now, target] of targetRows(rounds, counts)) say(`${what.padEnd(56)} ${now.padEnd(18)} ${target}`);
