import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { UsageError } from '../terminal/command-error.ts';
import { type Config, configHome, definitionOf, flagOf, SETTING_KEYS, type SettingKey, variableOf } from './settings.ts';

type Origin = 'flag' | 'variable' | 'file' | 'default';
export type Loaded = { config: Config; origins: Record<SettingKey, Origin>; file: string | null };
type Sources = {
  /** By key, as parseArgs returned them. */
  flags: Partial<Record<SettingKey, unknown>>;
  env: Record<string, string | undefined>;
  /** The file given with --config. */
  file?: string | undefined;
};

const fileOf = ({ file, env }: Sources): string | null => {
  const named = file ?? (env.MAW_CONFIG || undefined);
  if (named !== undefined) return named;
  const standard = join(configHome(), 'config.yaml');
  return existsSync(standard) ? standard : null;
};

const readFile = (file: string): Record<string, unknown> => {
  try {
    const content: unknown = parseYaml(readFileSync(file, 'utf8'));
    if (content === null || content === undefined) return {};
    if (typeof content === 'object' && !Array.isArray(content)) return content as Record<string, unknown>;
    throw new Error('it must contain settings such as url: http://127.0.0.1:8080');
  } catch (cause) {
    throw new UsageError(
      `The configuration file ${file} cannot be read: ${(cause as Error).message}`,
      'correct the file, or use another one with --config',
      { cause },
    );
  }
};

const checkKeys = (file: string, content: Record<string, unknown>): void => {
  const unknown = Object.keys(content).filter((key) => !(SETTING_KEYS as string[]).includes(key));
  if (unknown.length > 0)
    throw new UsageError(
      `The configuration file ${file} has unknown settings: ${unknown.join(', ')}`,
      `allowed: ${SETTING_KEYS.join(', ')}`,
    );
};

/** Precedence: flags, MAW_* variables, the configuration file, defaults. An empty variable counts as unset. */
export const loadConfig = (sources: Sources): Loaded => {
  const file = fileOf(sources);
  const content = file === null ? {} : readFile(file);
  if (file !== null) checkKeys(file, content);
  const origins = {} as Record<SettingKey, Origin>;
  const errors: string[] = [];
  const entries = SETTING_KEYS.map((key) => {
    const [origin, raw] = choose(key, sources, content);
    origins[key] = origin;
    if (raw === undefined) return [key, undefined];
    const parsed = definitionOf(key).schema.safeParse(raw);
    if (!parsed.success) errors.push(`${nameOf(key, origin, file)}: ${parsed.error.issues[0]?.message}`);
    return [key, parsed.data];
  });
  if (errors.length > 0) throw new UsageError(errors.join('\n'), 'maw COMMAND --help describes the settings');
  return { config: Object.fromEntries(entries) as Config, origins, file };
};

const choose = (key: SettingKey, { flags, env }: Sources, content: Record<string, unknown>): [Origin, unknown] => {
  if (flags[key] !== undefined) return ['flag', flags[key]];
  const variable = env[variableOf(key)];
  if (variable !== undefined && variable !== '') return ['variable', variable];
  if (content[key] !== undefined && content[key] !== null) return ['file', content[key]];
  return ['default', definitionOf(key).fallback()];
};

const nameOf = (key: SettingKey, origin: Origin, file: string | null): string =>
  ({ flag: `--${flagOf(key)}`, variable: variableOf(key), file: `${key} in ${file}`, default: `the default of ${key}` })[origin];
