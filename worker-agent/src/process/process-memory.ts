import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const OWN = /^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm;

/** The private memory of a process, including swapped-out memory, from its /proc/PID/status. Shared program files are not counted. */
export const parseOwnMemory = (status: string): number =>
  [...status.matchAll(OWN)].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1_024, 0);

/** Parses the output of `ps -o rss= -p …`, in kilobytes. */
export const parseRss = (listed: string): number => listed.split('\n').reduce((sum, line) => sum + Number(line) * 1_024, 0);

const ownMemoryOf = (pid: number): number => {
  try {
    return parseOwnMemory(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return 0; // it has ended
  }
};

/** The memory that processes use together, in bytes; 0 if the system does not report it. */
export const memoryOf = (pids: readonly number[]): number => {
  if (process.platform === 'linux') return pids.reduce((sum, pid) => sum + ownMemoryOf(pid), 0);
  if (process.platform === 'win32' || pids.length === 0) return 0;
  return parseRss(spawnSync('ps', ['-o', 'rss=', '-p', pids.join(',')], { encoding: 'utf8' }).stdout ?? '');
};
