import { parseArgs } from 'node:util';
import { UsageError } from '../terminal/command-error.ts';
import type { Command, Options } from './command.ts';
import { definitionOf, flagOf, type SettingKey } from './settings.ts';

const settingOption = (key: SettingKey) => {
  const { kind } = definitionOf(key);
  return [flagOf(key), { type: kind === 'flag' ? 'boolean' : 'string', multiple: kind === 'list' }] as const;
};

/** The options and the other words of a command line; throws UsageError for what the command does not take. */
export const parseArguments = (command: Command, words: readonly string[]): { options: Options; positionals: string[] } => {
  const own = Object.entries(command.options).map(([name, { type, short, multiple = false }]) => [
    name,
    { type, multiple, ...(short ? { short } : {}) },
  ]);
  const options = Object.fromEntries([
    ...command.settings.map(settingOption),
    ...own,
    ['config', { type: 'string' }],
    ['help', { type: 'boolean', short: 'h' }],
  ]);
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true, strict: true, allowNegative: true });
    return { options: values, positionals };
  } catch (cause) {
    throw new UsageError((cause as Error).message, `maw ${command.name} --help shows what there is`, { cause });
  }
};

export const checkCount = ({ name, args, minArgs, maxArgs }: Command, given: readonly string[]): void => {
  if (given.length < minArgs) throw new UsageError(`maw ${name} needs ${args}`, `maw ${name} --help shows how`);
  const [surplus] = given.slice(maxArgs);
  if (surplus !== undefined)
    throw new UsageError(
      `maw ${name} does not know what to do with ${surplus}`,
      `put several words into quotes; maw ${name} --help shows how`,
    );
};
