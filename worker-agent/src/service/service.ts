import { basename, dirname, resolve } from 'node:path';
import { WORKER_SETTINGS } from '../cli/worker-setup.ts';
import type { Loaded } from '../cli/load-config.ts';
import { asText, type Config, definitionOf, flagOf, type SettingKey, type SettingValue } from '../cli/settings.ts';
import type { StateFile } from '../agent/state-file.ts';

/** A worker as a service of this machine; it contains no secrets. */
export type Service = {
  /** Unique among the services of the machine. */
  id: string;
  description: string;
  argv: readonly string[];
  /** The PATH for the tools of the worker: that of a service manager is minimal. */
  path: string;
  /** Seconds between the request to stop and SIGKILL. */
  stopSeconds: number;
  /** The account of a system service; undefined for a service of the current user. */
  account: string | undefined;
};

/** Long enough for most subtasks to end, and short enough not to delay a shutdown of the machine for long. */
const DRAIN_FOR_MS = 120_000;
/** Time to stop the tools; sending the results takes up to `report_for_ms` more. */
const STOP_TOOLS_MS = 30_000;
/** Always passed as flags, so that it stays the same worker when a variable or the hostname changes. */
const ALWAYS: readonly SettingKey[] = ['url', 'name', 'state_dir', 'drain_for_ms'];
const FOLDERS: readonly SettingKey[] = ['state_dir', 'secrets_file'];

const flag = (key: SettingKey, value: SettingValue): string => {
  if (typeof value === 'boolean') return `--${value ? '' : 'no-'}${flagOf(key)}`;
  if (key === 'exec_roots' && Array.isArray(value)) return `--${flagOf(key)}=${value.map((folder) => resolve(folder)).join(',')}`;
  return `--${flagOf(key)}=${FOLDERS.includes(key) ? resolve(asText(value)) : asText(value)}`;
};

/** The settings that do not come from the configuration file, as flags. Secrets must be in a file. */
const flagsOf = (config: Config, { origins, file }: Loaded): string[] => {
  const isPassed = (key: SettingKey) => ALWAYS.includes(key) || origins[key] === 'flag' || origins[key] === 'variable';
  const keys = WORKER_SETTINGS.filter((key) => !definitionOf(key).secret && config[key] !== undefined && isPassed(key));
  return [...keys.map((key) => flag(key, config[key] as SettingValue)), ...(file === null ? [] : [`--config=${resolve(file)}`])];
};

/** Secret settings that were given as flags or variables, where a service cannot read them. */
export const secretsNotPassed = ({ origins }: Loaded): SettingKey[] =>
  WORKER_SETTINGS.filter(
    (key) => definitionOf(key).secret && key !== 'enrol_token' && (origins[key] === 'flag' || origins[key] === 'variable'),
  );

const pathOf = (env: Record<string, string | undefined>): string =>
  [...new Set([dirname(process.execPath), ...(env.PATH ?? '').split(':')])].filter((it) => it.startsWith('/')).join(':');

type Given = { config: Config; loaded: Loaded; env: Record<string, string | undefined>; file: StateFile; account: string | undefined };

export const serviceOf = ({ config, loaded, env, file, account }: Given): Service => {
  const drainForMs = config.drain_for_ms === 0 ? DRAIN_FOR_MS : config.drain_for_ms;
  return {
    id: `maw-worker-${basename(file.path, '.json')}`,
    description: `Multi-Agent on the Web: worker ${config.name}`,
    argv: [
      process.execPath,
      resolve(process.argv[1] ?? 'maw'),
      'worker',
      'start',
      ...flagsOf({ ...config, drain_for_ms: drainForMs }, loaded),
    ],
    path: pathOf(env),
    stopSeconds: Math.ceil((drainForMs + STOP_TOOLS_MS + config.report_for_ms) / 1_000),
    account,
  };
};
