import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { takeLock } from '../lock.mjs';

export const commandOf = (pid: number): string => {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    if (process.platform === 'win32') return 'postgres';
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
};

/** Locks a folder for this process and returns the function that unlocks it. Throws if a running process holds the lock. */
export const lockFolder = (folder: string): (() => void) => {
  const path = join(folder, 'home.lock');
  const owner = takeLock(path);
  if (owner !== null) throw new Error(`${folder} is in use by the process ${owner}; stop that one, or choose another folder with --data`);
  return () => rmSync(path, { force: true });
};
