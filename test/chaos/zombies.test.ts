import { expect, describe, it } from 'vitest';
import { startSystem, until } from '../support/processes.ts';
import { processTable } from '../../worker-agent/src/process/process-table.ts';
import { lastingForTest, living } from './support/lasting.ts';
import { expectSound } from './support/load.ts';
import { beginUploads, staleFences, staleTraces, tryStaleWrites } from './support/stale.ts';

const WORKERS = 20;
const OTHERS = 180;
const TRIES = 1_000;
const LEASE_MS = 5_000;
/** The time limit from waking until every process that a stale attempt started has ended. */
const GONE_MS = 2_000;

const subtasks = (count: number, tool: string, input: object) =>
  Array.from({ length: count }, (_, n) => ({ key: `${tool}${n}`, goal: 'work', tool, input }));

describe.skipIf(process.platform === 'win32')('workers that were stopped for twice the duration of their leases', () => {
  it(`stop the processes of their attempts as soon as they wake, and none of ${TRIES} writes for these attempts is accepted`, async () => {
    const system = await startSystem({ LEASE_MS: String(LEASE_MS), BUSY_HEARTBEAT_MS: '800' });
    const { admin, workers } = system;
    const lasting = await lastingForTest();
    for (let n = 0; n < WORKERS; n += 4) await Promise.all(Array.from({ length: 4 }, () => system.addWorker()));
    const submit = async (goal: string, list: ReturnType<typeof subtasks>) =>
      (await admin.submitTask({ body: { goal, subtasks: list } })).task_id;
    const held = await submit('held', subtasks(WORKERS, 'exec', lasting.input));
    const commandsAtWork = await until('every worker to run its subtask', async () => {
      const commands = (await lasting.commands()).filter((pids) => living(pids).length === 2);
      return commands.length === WORKERS && commands;
    });
    const parents = new Map(processTable().map(({ pid, parent }) => [pid, parent]));
    const processesOf = (pid: number | undefined) => commandsAtWork.filter(([root]) => parents.get(root) === pid).flat();
    const ids = [held, await submit('others', subtasks(OTHERS, 'scripted', { steps: [{ do: 'log', text: 'here' }] }))];

    await until('an upload of each attempt', () => beginUploads(system));
    const stoppedAt = performance.now();
    for (const { child } of workers) child.kill('SIGSTOP');
    await until('twice the lease to pass and all leases to be lost', async () => {
      const { items } = await admin.listSubtasks({ params: { task_id: held } });
      return performance.now() - stoppedAt > 2 * LEASE_MS && items.every(({ status }) => status === 'ready');
    });
    const stale = await staleFences(system);
    const aliveCount = living(commandsAtWork.flat()).length;
    const goneMs: number[] = [];
    for (const { child } of workers) {
      const wokeAt = performance.now();
      child.kill('SIGCONT');
      await until('its processes to end', () => living(processesOf(child.pid)).length === 0);
      goneMs.push(performance.now() - wokeAt);
    }
    const outcomes = await tryStaleWrites(system, stale, TRIES);
    await lasting.release();

    console.log(
      `${aliveCount} processes of stale attempts ended within ${Math.round(Math.max(...goneMs))} ms of waking; stale writes:`,
      outcomes,
    );
    expect(aliveCount).toBe(2 * WORKERS);
    expect(stale.length).toBeGreaterThanOrEqual(WORKERS);
    expect(Math.max(...goneMs)).toBeLessThan(GONE_MS);
    expect(outcomes).toEqual({ accepted: 0, refused: TRIES, other: [] });
    await expectSound(system, ids);
    expect(await staleTraces(system)).toBe(0);
  });
});
