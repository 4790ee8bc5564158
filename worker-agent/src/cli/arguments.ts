import { parseArgs } from 'node:util';
import { UsageError } from '../terminal/command-error.ts';
import type { Command, Options } from './command.ts';
import { definitionOf, flagOf, type SettingKey } from './settings.ts';

const settingOption = (key: SettingKey) => {
  const { kind } = definitionOf(key);
  return [flagOf(key), { type: kind === 'flag' ? 'boolean' : 'string', multiple: kind === 'list' }] as const;
};

/** Parses the options and arguments of a command; throws UsageError for those that it does not accept. */
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
    throw new UsageError((cause as Error).message, `maw ${command.name} --help lists its options`, { cause });
  }
};

export const checkCount = ({ name, args, minArgs, maxArgs }: Command, given: readonly string[]): void => {
  if (given.length < minArgs) throw new UsageError(`maw ${name} requires ${args}`, `see maw ${name} --help`);
  const [unexpected] = given.slice(maxArgs);
  if (unexpected !== undefined)
    throw new UsageError(
      `maw ${name}: unexpected argument ${unexpected}`,
      `put an argument of several words in quotes; see maw ${name} --help`,
    );
};
