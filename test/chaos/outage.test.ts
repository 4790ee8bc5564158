import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Running, run, startSystem, type System, until } from '../support/processes.ts';
import { expectSound } from './support/load.ts';

const COUNT = 50;
const LEASE_MS = 6_000;

/** Commands that each wait, without using CPU time, for one line from a pipe. */
const waitingAt = (gate: string) =>
  Array.from({ length: COUNT }, (_, at) => ({
    key: `k${at}`,
    goal: 'wait',
    tool: 'exec',
    input: { argv: ['sh', '-c', 'read line < "$1"; echo "$2"', 'sh', gate, `result ${at}`], result: 'text' },
  }));

/** The ids of the subtasks whose results the worker kept, in order. */
const keptBy = ({ child }: Running): string[] => {
  const kept: string[] = [];
  let rest = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) kept.push(...[...line.matchAll(/ result\.kept subtask_id=(\S+)/g)].map(([, id = '']) => id));
  });
  return kept;
};

/** One worker holds fifty subtasks; then the platform is killed, and all fifty finish. */
const withoutPlatform = async () => {
  const system = await startSystem({ LEASE_MS: String(LEASE_MS), OUTAGE_MS: '2000' });
  const worker = await system.addWorker(['--slots', String(COUNT)]);
  const kept = keptBy(worker);
  const gate = join(system.data, '../gate');
  execFileSync('mkfifo', [gate]);
  const { task_id } = await system.admin.submitTask({ body: { goal: 'fifty', subtasks: waitingAt(gate) } });
  await until('all to run', () => worker.output().split(' subtask.claimed ').length > COUNT);
  await system.server().kill('SIGKILL');
  const release = await open(gate, 'r+');
  onTestFinished(() => release.close());
  await release.write('\n'.repeat(COUNT));
  await until(`${COUNT} results to be kept`, () => kept.length === COUNT, 30_000);
  return { system, worker, task_id, kept };
};

const expectRecorded = async (system: System, task_id: string, kept: readonly string[]) => {
  await expectSound(system, [task_id]);
  const { items: events } = await system.admin.listEvents({ params: { task_id }, query: { limit: 1000 } });
  expect(events.filter(({ type }) => type === 'subtask.completed').map(({ subtask_id }) => subtask_id)).toEqual(kept);
  const { items } = await system.admin.listSubtasks({ params: { task_id } });
  for (const { key, subtask_id, result, attempt } of items) {
    const text = `result ${key.slice(1)}`;
    const { items: chunks } = await system.admin.listLogs({ params: { subtask_id } });
    expect({ result, attempt, logs: chunks.map(({ content }) => content).join('') }).toEqual({
      result: text,
      attempt: 1,
      logs: `${text}\n`,
    });
  }
};

describe.skipIf(process.platform === 'win32')('while the platform is unavailable for longer than a lease', () => {
  it('fifty results are kept, and are recorded once and in order afterwards, although the worker is killed and restarted meanwhile', async () => {
    const { system, worker, task_id, kept } = await withoutPlatform();
    await worker.kill('SIGKILL');
    const again = run(worker.child.spawnargs.slice(1));
    system.workers.push({ ...again, name: 'again' });
    await until('the worker to find the kept results', () => again.output().includes('spool.found'), 30_000);
    const since = performance.now();
    await until('the leases to expire', () => performance.now() - since > LEASE_MS);

    await system.restartServer();

    await expectRecorded(system, task_id, kept);
  });
});
