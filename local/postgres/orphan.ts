import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { commandOf } from './lock.ts';

const STOP_MS = 10_000;

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Returns null if no process is recorded. */
const recordedPid = (data: string): number | null => {
  try {
    return Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return null;
  }
};

/** Stops the PostgreSQL of a run that was killed. It would keep running, and the next one needs `data` for itself. */
export const stopOrphan = async (data: string, say: (line: string) => void = () => {}): Promise<void> => {
  const pid = recordedPid(data);
  if (pid === null || !isAlive(pid) || !commandOf(pid).includes('postgres')) return;
  say(`stopping the PostgreSQL (process ${pid}) that an earlier run left behind`);
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    process.kill(pid, signal);
    for (let waited = 0; waited < STOP_MS && isAlive(pid); waited += 20) await pause(20);
    if (!isAlive(pid)) return;
  }
};
