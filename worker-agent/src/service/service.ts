import { basename, dirname, resolve } from 'node:path';
import { WORKER_SETTINGS } from '../cli/worker-setup.ts';
import type { Loaded } from '../cli/load-config.ts';
import { asText, type Config, definitionOf, flagOf, type SettingKey, type SettingValue } from '../cli/settings.ts';
import type { StateFile } from '../agent/state-file.ts';

/** A worker as a service of this machine; no part of it is secret. */
export type Service = {
  /** Names it among the services of the machine. */
  id: string;
  description: string;
  argv: readonly string[];
  /** Where the worker's tools find theirs: a service manager gives little. */
  path: string;
  /** From the word to stop until it is killed. */
  stopSeconds: number;
  /** The account of a service of the whole machine; undefined for one of this person. */
  account: string | undefined;
};

/** Long enough for most work to end, short enough for who waits for the machine to shut down. */
const DRAIN_FOR_MS = 120_000;
/** To stop the tools; then results are offered to the platform for as long as is set. */
const STOP_TOOLS_MS = 30_000;
/** What the service is always told, so that it stays the same worker when a variable or the machine's name changes. */
const ALWAYS: readonly SettingKey[] = ['url', 'name', 'state_dir', 'drain_for_ms'];
const FOLDERS: readonly SettingKey[] = ['state_dir', 'secrets_file'];

const flag = (key: SettingKey, value: SettingValue): string => {
  if (typeof value === 'boolean') return `--${value ? '' : 'no-'}${flagOf(key)}`;
  if (key === 'exec_roots' && Array.isArray(value)) return `--${flagOf(key)}=${value.map((folder) => resolve(folder)).join(',')}`;
  return `--${flagOf(key)}=${FOLDERS.includes(key) ? resolve(asText(value)) : asText(value)}`;
};

/** The settings that are not those of the configuration file, as flags; secrets have to come from a file. */
const flagsOf = (config: Config, { origins, file }: Loaded): string[] => {
  const isTold = (key: SettingKey) => ALWAYS.includes(key) || origins[key] === 'flag' || origins[key] === 'variable';
  const keys = WORKER_SETTINGS.filter((key) => !definitionOf(key).secret && config[key] !== undefined && isTold(key));
  return [...keys.map((key) => flag(key, config[key] as SettingValue)), ...(file === null ? [] : [`--config=${resolve(file)}`])];
};

/** Secret settings that were given where a service does not see them. */
export const secretsLeftOut = ({ origins }: Loaded): SettingKey[] =>
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
