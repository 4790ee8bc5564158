import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ended } from '../../e2e/support/cli.ts';
import { run, until } from '../../support/processes.ts';
import { folderForTest } from '../support/agent.ts';
import { NO_BWRAP } from '../support/bwrap.ts';
import { type FakePlatform, startPlatform } from '../support/fake-platform.ts';
import { DEAF, strayForTest } from '../support/strays.ts';

const startWorker = (platform: FakePlatform, stateDir: string, name: string, isolation = 'env') => {
  const flags = ['--url', platform.url, '--enrol-token', 'mae_test', '--state-dir', stateDir, '--name', name, '--isolation', isolation];
  const worker = run([
    'worker-agent/bin/maw.mjs',
    'worker',
    'start',
    ...flags,
    '--tools',
    'exec',
    '--exec-allow',
    '*',
    '--log-format',
    'json',
  ]);
  onTestFinished(() => worker.kill('SIGKILL'));
  return worker;
};

/** A worker that runs a command which leaves processes in two sessions that ignore signals. */
const busyWorker = async (platform: FakePlatform, stateDir: string, name: string, isolation = 'env') => {
  const { command, pids, asleep } = strayForTest();
  const script = `${DEAF} (setsid sh -c '${DEAF} ${command}' </dev/null >/dev/null 2>&1 &); touch left; ${command}`;
  platform.add({ tool: 'exec', input: { argv: ['sh', '-c', script] } });
  const worker = startWorker(platform, stateDir, name, isolation);
  await until('both of its commands to run', () => asleep().length === 2);
  return { worker, pids };
};

const attempts = async (stateDir: string): Promise<string[]> => {
  const folder = join(stateDir, 'workspaces');
  const found = await Promise.all((await readdir(folder)).map((id) => readdir(join(folder, id))));
  return found.flat();
};

describe.skipIf(process.platform !== 'linux')('a worker that was killed', { timeout: 60_000 }, () => {
  it('ends the processes it left running and removes its folders at its next start, and touches no other worker', async () => {
    const stateDir = await folderForTest();
    const [platform, others] = [await startPlatform(), await startPlatform()];
    const other = await busyWorker(others, stateDir, 'other');
    const killed = await busyWorker(platform, stateDir, 'killed');
    const untouched = other.pids();
    await killed.worker.kill('SIGKILL');
    const left = killed.pids();
    const before = await attempts(stateDir);

    const again = startWorker(platform, stateDir, 'killed');

    await until('it to start', () => again.output().includes('worker.started'));
    expect(left.length).toBeGreaterThanOrEqual(3);
    expect(killed.pids()).toEqual([]);
    expect(other.pids()).toEqual(untouched);
    expect(before).toHaveLength(2);
    expect(await attempts(stateDir)).toHaveLength(1);
    expect(again.output()).toContain('leftovers.ended');
  });

  it.skipIf(NO_BWRAP !== null)('leaves no process running when bubblewrap isolates its commands', async () => {
    const killed = await busyWorker(await startPlatform(), await folderForTest(), 'killed', 'bwrap');

    await killed.worker.kill('SIGKILL');

    await until('its processes to end', () => killed.pids().length === 0);
  });
});

describe.skipIf(process.platform === 'win32')('a worker that requires bubblewrap', () => {
  it('does not start when it is not installed, and suggests what to do', async () => {
    const flags = ['--state-dir', await folderForTest(), '--isolation', 'bwrap'];

    const { code, error } = await ended(run(['worker-agent/bin/maw.mjs', 'worker', 'start', ...flags], { PATH: '/no/folder' }));

    expect(code).toBe(1);
    expect(error).toMatch(process.platform === 'linux' ? /bwrap was requested .*bubblewrap/s : /Linux only/);
  });
});
