import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PidFile } from '../../../worker-agent/src/agent/pid-file.ts';
import { folderForTest } from '../support/agent.ts';

const GONE = JSON.stringify({ pid: 2 ** 22 + 1, born: '1', health_port: 0 });

describe('the file that records which process runs a worker', () => {
  it('is taken by exactly one of many processes that find the file of a dead process at the same time', async () => {
    const state = join(await folderForTest(), 'worker.json');

    for (let round = 0; round < 20; round++) {
      await writeFile(state.replace('.json', '.pid'), GONE);
      const taken = await Promise.all(Array.from({ length: 4 }, () => new PidFile(state).take()));

      expect(taken.filter((owner) => owner === null)).toHaveLength(1);
      expect(taken.filter((owner) => owner === process.pid)).toHaveLength(3);
    }
  });

  it('can be taken after a process ended while it was taking the file', async () => {
    const state = join(await folderForTest(), 'worker.json');
    const lock = state.replace('.json', '.pid.lock');
    await writeFile(lock, '');
    await utimes(lock, 0, 0);

    expect(await new PidFile(state).take()).toBeNull();
  });

  it.skipIf(process.platform === 'win32')('distinguishes its process from a later one with the same pid', async () => {
    const state = join(await folderForTest(), 'worker.json');
    const file = new PidFile(state);
    await file.take();
    const own = await file.running();

    await writeFile(state.replace('.json', '.pid'), JSON.stringify({ pid: process.pid, born: 'before', health_port: 0 }));

    expect(own).toBe(process.pid);
    expect(await file.running()).toBeNull();
  });
});
