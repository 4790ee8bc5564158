import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../schema/client/client.ts';
import { twoMachines, whyNoNamespaces } from '../local/support/namespaces.ts';
import { until } from '../support/processes.ts';
import { lastingForTest, living } from './support/lasting.ts';
import { faultsOf, reach, slowPort, whyNoFaults } from './support/network.ts';

const MAW = 'worker-agent/bin/maw.mjs';
const PORT = 8080;
const LEASE_MS = 4_000;
const QUICK = { IDLE_HEARTBEAT_MS: '1000', CLAIM_POLL_MS: '100' };

const reason = whyNoNamespaces() ?? whyNoFaults();
if (reason !== null) console.warn(`Network partitions are not tested: this machine cannot create and cut networks (${reason}).`);

/** The platform on one machine and a worker on another, with a network link between them that can fail. */
const twoMachinesWithLink = async ({ delayMs = 0, leaseMs = LEASE_MS } = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-partitions-'));
  await chmod(folder, 0o711);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [here, there] = twoMachines();
  const data = join(folder, 'data');
  const url = `http://${here.address}:${PORT}`;
  const server = here.start(['local/start.ts', '--data', data, '--port', String(PORT), '--listen', '0.0.0.0', '--public-url', url], {
    DATABASE_URL: '',
    ...QUICK,
    LEASE_MS: String(leaseMs),
    BUSY_HEARTBEAT_MS: String(leaseMs / 5),
  });
  await until(`the server to be ready: ${server.output()}`, () => server.output().includes('Ctrl-C stops it.'));
  const key = (await readFile(join(data, 'admin-key'), 'utf8')).trim();
  const door = await reach(here, PORT, folder);
  onTestFinished(door.close);
  const admin = createClient({ url: door.url, token: key });
  await until('the server to be reached', () => admin.getHealth().catch(() => null));

  const addWorker = async (machine: typeof here, name: string, at: string) => {
    const { enrolment_token } = await admin.createEnrolmentToken({ body: { tools: ['exec'] } });
    const flags = ['--tools', 'exec', '--exec-allow', '*', '--name', name, '--state-dir', join(folder, name), '--timeout-ms', '3000'];
    const worker = machine.start([MAW, 'worker', 'start', '--url', at, '--enrol-token', enrolment_token, ...flags]);
    await until(`${name} to be enrolled`, async () => (await admin.listWorkers()).items.some((it) => it.name === name));
    return worker;
  };
  const far = await addWorker(there, 'far', delayMs === 0 ? url : `http://${here.address}:${slowPort(here, PORT, delayMs)}`);
  const attempts = async (task_id: string) => {
    const { items } = await admin.listSubtasks({ params: { task_id } });
    const details = items.map(({ subtask_id }) => admin.getSubtask({ params: { subtask_id } }));
    return (await Promise.all(details)).flatMap((it) => it.attempt_list);
  };
  return {
    admin,
    there,
    far,
    faults: faultsOf(there),
    addNear: () => addWorker(here, 'near', url),
    attempts,
    isCompleted: async (task_id: string) => (await admin.getTask({ params: { task_id } })).status === 'completed',
  };
};

describe.skipIf(reason !== null)('a worker', () => {
  it.each(['both', 'out', 'in'] as const)(
    'that is cut off stops its tool, loses the subtask to another worker, and continues afterwards; cut: %s',
    async (direction) => {
      const { admin, far, faults, attempts, addNear, isCompleted } = await twoMachinesWithLink();
      const lasting = await lastingForTest();
      const { task_id } = await admin.submitTask({ body: { goal: 'held', tool: 'exec', input: lasting.input } });
      const pids = (await until('the far worker to start the subtask', async () => (await lasting.commands())[0])) as number[];

      faults.cut(direction);
      await addNear();
      await until('its tool to be stopped', () => living(pids).length === 0);
      await until('the near worker to start the subtask', async () => (await lasting.commands()).length === 2);
      await lasting.release();
      await until('the task to be completed', () => isCompleted(task_id));
      faults.heal();
      const dropped = /subtask\.dropped .*lease_lost/;
      await until(`the far worker to drop the subtask: ${far.output()}`, () => dropped.test(far.output()));

      expect((await attempts(task_id)).map(({ status }) => status).toSorted()).toEqual(['lost', 'succeeded']);
      expect(far.output()).not.toContain('subtask.completed');
    },
  );

  it('keeps its leases and delivers its results over a link with 300 ms latency and 5 % packet loss', async () => {
    const { admin, faults, attempts, isCompleted } = await twoMachinesWithLink({ delayMs: 150, leaseMs: 15_000 });
    faults.lose(5);
    const work = { argv: ['node', '-e', 'setTimeout(() => console.log(1), 1_500)'] };
    const subtasks = Array.from({ length: 4 }, (_, n) => ({ key: `s${n}`, goal: 'work', tool: 'exec', input: work }));

    const { task_id } = await admin.submitTask({ body: { goal: 'far', subtasks } });
    await until('the task to be completed', () => isCompleted(task_id), 120_000);

    expect((await attempts(task_id)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded']);
  });

  it('keeps its lease when its address changes', async () => {
    const { admin, faults, there, attempts, isCompleted } = await twoMachinesWithLink();
    const lasting = await lastingForTest();
    const { task_id } = await admin.submitTask({ body: { goal: 'held', tool: 'exec', input: lasting.input } });
    await until('it to start the subtask', async () => (await lasting.commands()).length === 1);
    const end = async () => Date.parse((await attempts(task_id))[0]?.lease_expires_at ?? '');

    faults.moveTo(there.address, '10.231.47.77');
    const before = await end();
    await until('the lease to be renewed from the new address for more than its duration', async () => (await end()) > before + LEASE_MS);
    await lasting.release();
    await until('the task to be completed', () => isCompleted(task_id));

    expect(await attempts(task_id)).toMatchObject([{ status: 'succeeded' }]);
  });
});
