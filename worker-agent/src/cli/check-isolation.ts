import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Isolation } from '../process/isolation/isolation.ts';
import type { Config } from './settings.ts';
import { CommandError } from '../terminal/command-error.ts';
import type { Check } from '../tools/adapter.ts';
import { isolationOf } from './worker-setup.ts';

const ISOLATED: Record<Isolation['kind'], Check> = {
  none: {
    level: 'warn',
    message:
      'isolation none: commands get the home folder and the environment of this user, without the MAW_* variables; this is no security boundary',
    next: 'use --isolation env or bwrap, unless a tool requires none',
  },
  env: {
    level: 'ok',
    message:
      'isolation env: commands get a clean environment and their own home and temporary folders; this is no security boundary: they can read and write everything that this user can',
  },
  bwrap: {
    level: 'ok',
    message:
      'isolation bwrap: commands can write only to their own folders and to --exec-root, and cannot see the folders of the worker; they can read the other files of this user and use the network',
  },
};

const PROCESSES: Partial<Record<NodeJS.Platform, string>> = {
  linux:
    'every process of a command is stopped with it (found by session, descent and a marker in its environment); after a crash of the worker, at its next start (found by the marker). A daemon that clears its environment can escape; with --isolation bwrap none can',
  darwin:
    'every process of a command is stopped with it (found by group and descent, and by a marker in its environment where the system shows it, also after a crash of the worker). A daemon can escape',
  win32:
    'the processes of a command whose parents are still running are stopped with it (taskkill /T); processes that outlive their parents or a crash of the worker are not found',
};

const checkProcesses = ({ isolation }: Config): Check => {
  if (isolation === 'bwrap' && process.platform === 'linux')
    return {
      level: 'ok',
      message: 'processes: the kernel stops every process of a command when the command or the worker ends (PID namespace)',
    };
  const text =
    PROCESSES[process.platform] ?? 'the process group of a command is stopped with it; a process that leaves the group can escape';
  return { level: process.platform === 'win32' ? 'warn' : 'ok', message: `processes: ${text}` };
};

const checkLogin = async (login: string): Promise<Check | null> => {
  const file = join(homedir(), login);
  if ((await stat(file).catch(() => null)) !== null) return null;
  return {
    level: 'warn',
    message: `login: ${file} does not exist`,
    next: 'log in with the tool as this user, or remove the file from --exec-login',
  };
};

/** Checks how commands are isolated from this machine, and describes what is guaranteed about their processes. */
export const checkIsolation = async (config: Config, file: string | null): Promise<Check[]> => {
  const logins = await Promise.all(config.isolation === 'none' ? [] : config.exec_logins.map(checkLogin));
  try {
    const { kind } = await isolationOf(config, file);
    return [ISOLATED[kind], checkProcesses(config), ...logins.filter((it) => it !== null)];
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [{ level: 'fail', message: error.message, next: error.next }];
  }
};
