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
    message: "isolation none: commands have this user's home folder and environment, without MAW_*; no boundary",
    next: 'take --isolation env or bwrap, unless a tool needs it so',
  },
  env: {
    level: 'ok',
    message:
      'isolation env: commands have an environment made from empty and a home and a temporary folder of their own; no boundary: they can read and write what this user can',
  },
  bwrap: {
    level: 'ok',
    message:
      "isolation bwrap: commands can write to their own folders and to --exec-root only, and cannot see the worker's; they can read the rest of this user's files and reach the network",
  },
};

const TREES: Partial<Record<NodeJS.Platform, string>> = {
  linux:
    'every process of a command is ended with it, by session, descent and the mark in its environment; after a crash of the worker at its next start, by the mark. A daemon that empties its environment can escape; with --isolation bwrap none can',
  darwin:
    'every process of a command is ended with it, by group and descent; by the mark in its environment, also after a crash of the worker, where the system shows that. A daemon can escape',
  win32:
    'the processes of a command that have living parents are ended with it (taskkill /T); what outlives its parents, or a crash of the worker, is not found',
};

const checkTree = ({ isolation }: Config): Check => {
  if (isolation === 'bwrap' && process.platform === 'linux')
    return { level: 'ok', message: 'processes: all of a command end with it or with the worker, by the kernel (PID namespace)' };
  const said = TREES[process.platform] ?? 'the process group of a command is ended with it; what leaves the group can escape';
  return { level: process.platform === 'win32' ? 'warn' : 'ok', message: `processes: ${said}` };
};

const checkLogin = async (login: string): Promise<Check | null> => {
  const file = join(homedir(), login);
  if ((await stat(file).catch(() => null)) !== null) return null;
  return { level: 'warn', message: `login: ${file} is not there`, next: 'log the tool in as this user, or take it out of --exec-login' };
};

/** What keeps commands apart from this machine, and what is sure of their processes, told plainly. */
export const checkIsolation = async (config: Config, file: string | null): Promise<Check[]> => {
  const logins = await Promise.all(config.isolation === 'none' ? [] : config.exec_logins.map(checkLogin));
  try {
    const { kind } = await isolationOf(config, file);
    return [ISOLATED[kind], checkTree(config), ...logins.filter((it) => it !== null)];
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return [{ level: 'fail', message: error.message, next: error.next }];
  }
};
