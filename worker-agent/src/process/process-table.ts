import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A process as the system lists it. `born` tells it from a later one with the same number. */
export type Process = { pid: number; parent: number; group: number; session: number; born: string };

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended, or is not ours to look at
  }
};

/** A line of /proc/PID/stat, or null for one that has ended and only waits to be collected. The name may hold any character. */
export const parseStat = (stat: string): Process | null => {
  const [state, parent, group, session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || state === '' || 'ZXx'.includes(state)) return null;
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), group: Number(group), session: Number(session), born: rest[15] ?? '' };
};

/** The answer of `ps -axo pid=,ppid=,pgid=,stat=,lstart=`; it does not tell sessions. */
export const parsePs = (listed: string): Process[] =>
  [...listed.matchAll(/^ *(\d+) +(\d+) +(\d+) +(\S+) +(.+)$/gm)].flatMap(([, pid, parent, group, state, born = '']) =>
    state?.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, born: born.trim() }],
  );

/** The processes that carry `mark` in their environment, by the answer of `ps -axEww -o pid=,command=`. */
export const parseMarked = (listed: string, mark: string): number[] =>
  listed
    .split('\n')
    .filter((line) => line.includes(` ${mark}`))
    .map((line) => Number.parseInt(line, 10));

const ps = (args: string[], env = process.env): string =>
  spawnSync('ps', args, { encoding: 'utf8', env, maxBuffer: 64 * 1_048_576 }).stdout ?? '';

/** A service and a person's shell have other languages and time zones, and must read the same. */
const listed = (): string => ps(['-axo', 'pid=,ppid=,pgid=,stat=,lstart='], { ...process.env, LC_ALL: 'C', TZ: 'UTC' });

const numbered = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** All that lives on this machine now; nothing on Windows, which has a way of its own to end a tree. */
export const processTable = (): Process[] => {
  if (process.platform === 'win32') return [];
  if (process.platform !== 'linux') return parsePs(listed());
  return numbered().flatMap((pid) => parseStat(read(`/proc/${pid}/stat`)) ?? []);
};

/** Who has `mark`, the beginning of a NAME=value, in the environment that it was started with. What the system hides is left out. */
export const markedProcesses = (mark: string): number[] => {
  if (process.platform === 'win32') return [];
  if (process.platform !== 'linux') return parseMarked(ps(['-axEww', '-o', 'pid=,command=']), mark).filter((pid) => pid !== process.pid);
  return numbered().filter((pid) => pid !== process.pid && `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${mark}`));
};
