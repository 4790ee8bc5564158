import { type ChildProcess, spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

const signalled = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
};

/** Signals a child with all of its process group; on Windows, which has no groups, its whole tree is ended. */
export const killGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return;
  if (process.platform !== 'win32') return void signalled(-child.pid, signal);
  if (signal === 'SIGKILL') spawnSync('taskkill', ['/PID', String(child.pid), '/T', '/F'], { windowsHide: true });
  else child.kill(signal);
};

const carries = async (pid: number, marker: string): Promise<boolean> => {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(marker);
};

/** Kills what still runs with `marker` (NAME=value) in its environment: tools that moved to a session of their own. Linux only. */
export const sweep = async (marker: string): Promise<void> => {
  if (process.platform !== 'linux') return;
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  await Promise.all(pids.map(async (pid) => (await carries(pid, marker)) && signalled(pid, 'SIGKILL')));
};
