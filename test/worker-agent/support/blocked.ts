import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { processTable } from '../../../worker-agent/src/process/process-table.ts';
import { run, until } from '../../support/processes.ts';
import { folderForTest } from './agent.ts';
import type { FakePlatform } from './fake-platform.ts';

/** A worker process whose tool starts a command and then blocks the main thread for `blockMs`. */
export const blocked = async (platform: FakePlatform, blockMs: number, stallMs: number) => {
  const stateDir = await folderForTest();
  const pidFile = join(stateDir, 'pid');
  const { url, worker, intervals } = platform;
  const given = { url, worker, intervals, stateDir, stallMs, pidFile, blockMs };
  const running = run([join(import.meta.dirname, 'blocking-worker.ts'), JSON.stringify(given)]);
  onTestFinished(() => running.kill('SIGKILL'));
  const pid = Number(await until('the command to run', async () => (await readFile(pidFile, 'utf8').catch(() => '')) || null, 20_000));
  // A zombie, which waits for its blocked parent, is not in the table.
  return { running, isRunning: () => processTable().some((it) => it.pid === pid) };
};
