import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const OWN = /^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm;

/** The memory that a process has for itself, also what is swapped out, by its /proc/PID/status: program files are shared with others. */
export const parseOwnMemory = (status: string): number =>
  [...status.matchAll(OWN)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1_024, 0);

/** The answer of `ps -o rss= -p …`, in kilobytes. */
export const parseRss = (listed: string): number => listed.split('\n').reduce((sum, line) => sum + Number(line) * 1_024, 0);

const ownMemoryOf = (pid: number): number => {
  try {
    return parseOwnMemory(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return 0; // it has ended
  }
};

/** How many bytes processes take up together; 0 where the system does not tell. */
export const memoryOf = (pids: readonly number[]): number => {
  if (process.platform === 'linux') return pids.reduce((sum, pid) => sum + ownMemoryOf(pid), 0);
  if (process.platform === 'win32' || pids.length === 0) return 0;
  return parseRss(spawnSync('ps', ['-o', 'rss=', '-p', pids.join(',')], { encoding: 'utf8' }).stdout ?? '');
};
