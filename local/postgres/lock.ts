import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** When a process started, as text; null when there is none with this id. Tells a process from a later one with its id. */
export const startOf = (pid: number): string | null => {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? null;
    if (process.platform === 'win32') return process.kill(pid, 0), 'running';
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
};

export const commandOf = (pid: number): string => {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    if (process.platform === 'win32') return 'postgres';
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
};

/** Takes a folder for this process; throws when a living one has it. Answers what gives it back. */
export const lockFolder = (folder: string): (() => void) => {
  const path = join(folder, 'home.lock');
  for (;;) {
    try {
      writeFileSync(path, `${process.pid} ${startOf(process.pid) ?? ''}\n`, { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const pid = holderOf(path);
    if (pid !== null) throw new Error(`${folder} is in use by the process ${pid}; stop that one, or choose another folder with --data`);
    rmSync(path, { force: true }); // whoever had it was killed
  }
};

const holderOf = (path: string): number | null => {
  try {
    const [, pid, started] = /^(\d+) (.+)$/.exec(readFileSync(path, 'utf8').trim()) ?? [];
    return pid !== undefined && startOf(Number(pid)) === started ? Number(pid) : null;
  } catch {
    return null;
  }
};
