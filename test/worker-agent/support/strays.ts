import { readdirSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
};

/** The processes of this machine with a text in their command line; Linux only. */
export const processesWith = (text: string): number[] =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(text))
    .map(Number);

let given = 0;

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile, for example together with one that was killed before it.
  }
};

/** A unique command, and the processes that have it in their command line. Those still running at the end of the test are killed. */
export const strayForTest = () => {
  const command = `sleep 9${process.pid}${String(++given).padStart(4, '0')}`;
  const pids = () => processesWith(command);
  onTestFinished(() => {
    for (const pid of pids()) kill(pid);
  });
  return { command, pids, asleep: () => pids().filter((pid) => commandOf(String(pid)).startsWith(command)) };
};

export const DEAF = 'trap "" INT TERM HUP;';

/** Shell scripts that try to leave `command` running, by what they do. */
export const ESCAPES: Record<string, (command: string) => string> = {
  'forks and ends': (command) => `${command} & ${command} &`,
  'moves to its own session': (command) => `setsid ${command} </dev/null >/dev/null 2>&1 &`,
  'moves there twice, ignoring signals': (command) =>
    `${DEAF} (setsid sh -c '${DEAF} (setsid ${command} &) ; exec ${command}' </dev/null >/dev/null 2>&1 &)`,
  'closes its pipes and stays': (command) => `${DEAF} exec <&- >&- 2>&-; ${command} & ${command}`,
  'holds its pipes in another session': (command) => `${DEAF} setsid ${command} & ${command}`,
  'stops itself': (command) => `${command} & kill -STOP $!; kill -STOP $$; ${command}`,
};
