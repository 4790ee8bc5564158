import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { removeLeftovers } from '../../local/demo/leftovers.ts';
import { lockFolder } from '../../local/postgres/lock.ts';
import { killAtOnce, run, until } from '../support/processes.ts';
import { commandsWith, exitOf } from './support/start.ts';

/** An empty temporary folder. */
const temporaryFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-test-demo-'));
  await chmod(folder, 0o711); // PostgreSQL may run as another user, which must be able to enter the folder
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

describe.skipIf(process.platform === 'win32')('npm run demo', { timeout: 120_000 }, () => {
  it.each([
    ['starting PostgreSQL', ['SIGINT', 'SIGTERM']],
    ['Enrolling', ['SIGHUP', 'SIGTERM']],
    ['Submitting', ['SIGINT', 'SIGTERM']],
  ] as const)('that is stopped twice at "%s" leaves no folder and no process behind', async (line, signals) => {
    const folder = await temporaryFolder();
    const demo = run(['local/demo/main.ts'], { TMPDIR: folder });
    onTestFinished(() => demo.kill('SIGKILL'));
    await until('the demo to print it', () => demo.output().includes(line));

    killAtOnce(demo.child, signals);

    expect(await exitOf(demo)).toBe(0);
    expect(await readdir(folder)).toEqual([]);
    expect(await commandsWith(folder)).toEqual([]);
  });
});

describe('the folder of a demo', () => {
  const anHourAgo = new Date(Date.now() - 3_600_000);

  it('is deleted by the next demo if it was killed, and stays while it runs', async () => {
    const parent = await temporaryFolder();
    const [dead, living, fresh] = ['maw-demo-dead', 'maw-demo-living', 'maw-demo-fresh'].map((name) => join(parent, name)) as [
      string,
      string,
      string,
    ];
    for (const folder of [dead, living, fresh]) await mkdir(folder);
    const gone = spawn(process.execPath, ['-e', '']);
    await once(gone, 'close');
    await writeFile(join(dead, 'home.lock'), `${gone.pid} 1\n`);
    lockFolder(living);
    for (const folder of [dead, living]) await utimes(folder, anHourAgo, anHourAgo);

    await removeLeftovers(parent);

    expect([dead, living, fresh].map((folder) => existsSync(folder))).toEqual([false, true, true]);
  });
});
