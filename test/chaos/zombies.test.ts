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
/** From waking until everything that a stale attempt had started is gone. */
const GONE_MS = 2_000;

const subtasks = (count: number, tool: string, input: object) =>
  Array.from({ length: count }, (_, n) => ({ key: `${tool}${n}`, goal: 'work', tool, input }));

describe.skipIf(process.platform === 'win32')('workers that were stopped for twice their leases', () => {
  it(`end what they had started as soon as they wake, and of ${TRIES} writes of their attempts none lands`, async () => {
    const system = await startSystem({ LEASE_MS: String(LEASE_MS), BUSY_HEARTBEAT_MS: '800' });
    const { admin, workers } = system;
    const lasting = await lastingForTest();
    for (let n = 0; n < WORKERS; n += 4) await Promise.all(Array.from({ length: 4 }, () => system.addWorker()));
    const submit = async (goal: string, list: ReturnType<typeof subtasks>) =>
      (await admin.submitTask({ body: { goal, subtasks: list } })).task_id;
    const held = await submit('held', subtasks(WORKERS, 'exec', lasting.input));
    const works = await until('every worker to be at work', async () => {
      const commands = (await lasting.commands()).filter((pids) => living(pids).length === 2);
      return commands.length === WORKERS && commands;
    });
    const parents = new Map(processTable().map(({ pid, parent }) => [pid, parent]));
    const worksOf = (pid: number | undefined) => works.filter(([root]) => parents.get(root) === pid).flat();
    const ids = [held, await submit('others', subtasks(OTHERS, 'scripted', { steps: [{ do: 'log', text: 'here' }] }))];

    await until('an upload of each attempt', () => beginUploads(system));
    const stoppedAt = performance.now();
    for (const { child } of workers) child.kill('SIGSTOP');
    await until('twice the lease to be over and all of them to be lost', async () => {
      const { items } = await admin.listSubtasks({ params: { task_id: held } });
      return performance.now() - stoppedAt > 2 * LEASE_MS && items.every(({ status }) => status === 'ready');
    });
    const stale = await staleFences(system);
    const lived = living(works.flat()).length;
    const goneMs: number[] = [];
    for (const { child } of workers) {
      const wokeAt = performance.now();
      child.kill('SIGCONT');
      await until('what it had started to be gone', () => living(worksOf(child.pid)).length === 0);
      goneMs.push(performance.now() - wokeAt);
    }
    const said = await tryStaleWrites(system, stale, TRIES);
    await lasting.letGo();

    console.log(
      `${lived} processes of stale attempts were gone ${Math.round(Math.max(...goneMs))} ms after waking at most; stale writes:`,
      said,
    );
    expect(lived).toBe(2 * WORKERS);
    expect(stale.length).toBeGreaterThanOrEqual(WORKERS);
    expect(Math.max(...goneMs)).toBeLessThan(GONE_MS);
    expect(said).toEqual({ landed: 0, refused: TRIES, other: [] });
    await expectSound(system, ids);
    expect(await staleTraces(system)).toBe(0);
  });
});
