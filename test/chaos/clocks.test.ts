import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startSystem, until } from '../support/processes.ts';
import { lastingForTest, living } from './support/lasting.ts';
import { expectSound } from './support/load.ts';

const [FAKETIME] = globSync('/usr/lib/{*/,}faketime/libfaketimeMT.so.1');
if (FAKETIME === undefined)
  console.warn('Clock changes are not tested: libfaketime is not installed (Debian: apt-get install libfaketime).');

/** Longer than a busy machine may leave a process without CPU time. */
const LEASE_MS = 5_000;

describe.skipIf(FAKETIME === undefined)('a worker whose wall clock is moved two hours forward and back during a run', () => {
  it('keeps its lease, and stops its tool in time when it does lose the lease', async () => {
    const system = await startSystem({ LEASE_MS: String(LEASE_MS), BUSY_HEARTBEAT_MS: '600' });
    const { admin, data } = system;
    const lasting = await lastingForTest();
    const time = join(data, '../time');
    const set = (offset: string) => writeFile(time, offset);
    await set('+0');
    const fake = { LD_PRELOAD: FAKETIME ?? '', FAKETIME_TIMESTAMP_FILE: time, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    const worker = await system.addWorker(['--log-format', 'json'], { ...fake, DONT_FAKE_MONOTONIC: '1' });
    const { task_id } = await admin.submitTask({ body: { goal: 'held', tool: 'exec', input: lasting.input } });
    const pids = (await until('the work to begin', async () => (await lasting.commands())[0])) as number[];
    const attempts = async () => {
      const [subtask] = (await admin.listSubtasks({ params: { task_id } })).items;
      return (await admin.getSubtask({ params: { subtask_id: subtask?.subtask_id ?? '' } })).attempt_list;
    };
    const renewedPastLease = async () => {
      const wanted = Date.parse((await attempts())[0]?.lease_expires_at ?? '') + 2 * LEASE_MS;
      await until(
        'the lease to be renewed for twice its time',
        async () => Date.parse((await attempts())[0]?.lease_expires_at ?? '') > wanted,
      );
    };

    await set('+7200');
    await renewedPastLease();
    await set('-7200');
    await renewedPastLease();
    const renewed = await attempts();
    const aliveCount = living(pids).length;
    // Without the platform it must give up the lease, two hours before the wall clock would show its end.
    system.server().child.kill('SIGSTOP');
    await until('the tool to end', () => living(pids).length === 0, 4 * LEASE_MS);
    await lasting.release();
    system.server().child.kill('SIGCONT');

    expect(renewed).toMatchObject([{ attempt: 1, status: 'running' }]);
    expect(aliveCount).toBe(2);
    await expectSound(system, [task_id]);
    expect(worker.output()).toContain('its lease may have expired');
    const timestamps = worker.output().matchAll(/"timestamp":"([^"]+)"/g);
    expect(Math.min(...[...timestamps].map(([, at]) => Date.parse(at ?? '')))).toBeLessThan(Date.now() - 3_600_000);
  });
});
