import type { Client } from '../../../schema/client/client.ts';
import type { Loaded } from './load-config.ts';
import type { SettingKey } from './settings.ts';
import type { Io } from '../terminal/io.ts';

type OptionSpec = { type: 'string' | 'boolean'; short?: string; multiple?: boolean; placeholder?: string; help: string };
export type Options = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export type CommandContext = {
  io: Io;
  loaded: Loaded;
  config: Loaded['config'];
  options: Options;
  args: readonly string[];
  env: Record<string, string | undefined>;
  /** Sends the API key of the configuration. */
  client: Client;
};

export type Command = {
  /** As the user types it, such as `worker start`. */
  name: string;
  args: string;
  summary: string;
  details?: string;
  minArgs: number;
  maxArgs: number;
  settings: readonly SettingKey[];
  options: Readonly<Record<string, OptionSpec>>;
  /** Returns the exit code. */
  run(context: CommandContext): Promise<number>;
};

export const CLIENT_SETTINGS: readonly SettingKey[] = ['url', 'api_key', 'timeout_ms', 'json'];

/** The value of a text option, or undefined. */
export const text = (options: Options, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};

export const texts = (options: Options, name: string): string[] => {
  const value = options[name];
  return Array.isArray(value) ? value.filter((it) => typeof it === 'string') : [];
};
