import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { type Client, createClient } from '../../schema/client/client.ts';
import type { Task } from '../../schema/task.ts';
import { type Standalone, startStandalone } from '../standalone.ts';
import { say } from '../say.ts';
import { onStopSignals } from '../stop-signals.ts';
import { PREFIX, removeLeftovers } from './leftovers.ts';
import { measure } from './measure.ts';
import { followAll } from './progress.ts';
import { summaryTable, taskTable } from './report.ts';
import { type Sample, samples } from './samples.ts';
import { createWorkers, waitForWorkers } from './workers.ts';

const WORKERS = 10;
const LONGEST_MS = 5 * 60_000;

const { exit } = parseArgs({ options: { exit: { type: 'boolean', default: false } } }).values;

const outputIsRight = async (client: Client, task: Task, sample: Sample): Promise<boolean> => {
  const { items } = await client.listSubtasks({ params: { task_id: task.task_id } });
  const output = items.find((subtask) => subtask.key === sample.output);
  return task.status === 'completed' && isDeepStrictEqual(output?.result, sample.expected());
};

const runSamples = async (client: Client): Promise<boolean> => {
  const bySample = new Map<string, Sample>();
  const submitted: Task[] = [];
  for (const sample of samples()) {
    const task = await client.submitTask({ body: sample.spec });
    submitted.push(task);
    bySample.set(task.task_id, sample);
  }
  const ids = [...bySample.keys()];
  const tasks = (await followAll(client, submitted, LONGEST_MS)).toSorted((a, b) => (a.created_at < b.created_at ? -1 : 1));

  say('\nChecking every output against one computed again …');
  const right = new Map<string, boolean>();
  for (const task of tasks) {
    const sample = bySample.get(task.task_id);
    right.set(task.task_id, sample !== undefined && (await outputIsRight(client, task, sample)));
  }
  say(`\n${taskTable(tasks, right)}\n\n${summaryTable(tasks, await measure(client, ids, WORKERS), WORKERS)}\n`);
  return [...right.values()].every(Boolean);
};

await removeLeftovers();
const folder = await mkdtemp(join(tmpdir(), PREFIX));
const workers = createWorkers(join(folder, 'workers'));
let standalone: Standalone | null = null;
say('Starting the platform …');
const starting = startStandalone({
  folder,
  env: { ...process.env, DATABASE_URL: undefined, CLAIM_POLL_MS: '60' },
  say: (line) => say(`  ${line}`),
});

const stop = async () => {
  await workers.stop();
  await (await starting.catch(() => null))?.close();
  await rm(folder, { recursive: true, force: true });
};

let leaving = false;
const leave = (code: number) => {
  if (leaving) return;
  leaving = true;
  stop().then(
    () => process.exit(code),
    (error: Error) => {
      say(error.message);
      process.exit(1);
    },
  );
};

onStopSignals({
  stop: () => {
    say('\nstopping (again to force) …');
    leave(exit ? 130 : 0);
  },
  force: () => {
    workers.kill();
    standalone?.database.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }); // Postgres may be writing still
    process.exit(130);
  },
});

try {
  standalone = await starting;
  const client = createClient({ url: standalone.url, token: standalone.adminKey });
  say(`Enrolling ${WORKERS} workers …`);
  await workers.start(client, standalone.url, WORKERS);
  await waitForWorkers(client, WORKERS, 60_000);
  say('Submitting 24 tasks …');
  const right = await runSamples(client);
  say(right ? 'Every task completed and every output is right.' : 'Something is wrong: see the table above.');
  if (exit) leave(right ? 0 : 1);
  else
    say(`
The system goes on running until Ctrl-C.
  API   ${standalone.url}/api/v1      docs  ${standalone.url}/docs
  In another terminal, in this folder:
    export MAW_URL=${standalone.url} MAW_API_KEY=${standalone.adminKey}
    npx maw submit "say hello" --wait
    npx maw list`);
} catch (error) {
  if (!leaving) {
    say(`The demo failed: ${(error as Error).message}`);
    leave(1);
  }
}
