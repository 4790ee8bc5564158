import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A process as the system lists it. `born` distinguishes it from a later one with the same pid. */
export type Process = { pid: number; parent: number; group: number; session: number; born: string };

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended, or we may not read it
  }
};

/** Parses /proc/PID/stat. Returns null for a zombie process. The process name may contain any character. */
export const parseStat = (stat: string): Process | null => {
  const [state, parent, group, session, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === undefined || state === '' || 'ZXx'.includes(state)) return null;
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), group: Number(group), session: Number(session), born: rest[15] ?? '' };
};

/** Parses the output of `ps -axo pid=,ppid=,pgid=,stat=,lstart=`, which does not contain sessions. */
export const parsePs = (listed: string): Process[] =>
  [...listed.matchAll(/^ *(\d+) +(\d+) +(\d+) +(\S+) +(.+)$/gm)].flatMap(([, pid, parent, group, state, born = '']) =>
    state?.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group), session: 0, born: born.trim() }],
  );

/** The processes that have `mark` in their environment, from the output of `ps -axEww -o pid=,command=`. */
export const parseMarked = (listed: string, mark: string): number[] =>
  listed
    .split('\n')
    .filter((line) => line.includes(` ${mark}`))
    .map((line) => Number.parseInt(line, 10));

const ps = (args: string[], env = process.env): string =>
  spawnSync('ps', args, { encoding: 'utf8', env, maxBuffer: 64 * 1_048_576 }).stdout ?? '';

/** Language and time zone are fixed, so that a service and a person's shell read the same start times. */
const listed = (): string => ps(['-axo', 'pid=,ppid=,pgid=,stat=,lstart='], { ...process.env, LC_ALL: 'C', TZ: 'UTC' });

const numbered = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** All processes of this machine. Empty on Windows, where taskkill ends process trees. */
export const processTable = (): Process[] => {
  if (process.platform === 'win32') return [];
  if (process.platform !== 'linux') return parsePs(listed());
  return numbered().flatMap((pid) => parseStat(read(`/proc/${pid}/stat`)) ?? []);
};

/** The processes that were started with `mark`, the beginning of a NAME=value, in their environment, as far as the system shows it. */
export const markedProcesses = (mark: string): number[] => {
  if (process.platform === 'win32') return [];
  if (process.platform !== 'linux') return parseMarked(ps(['-axEww', '-o', 'pid=,command=']), mark).filter((pid) => pid !== process.pid);
  return numbered().filter((pid) => pid !== process.pid && `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${mark}`));
};
