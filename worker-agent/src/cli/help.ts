import { PRODUCT } from '../../../schema/product.ts';
import type { Command } from './command.ts';
import { asText, definitionOf, flagOf, type SettingKey, variableOf } from './settings.ts';
import { table } from '../terminal/text.ts';

const indent = (text: string) => text.replace(/^/gm, '  ');

const fallbackOf = (key: SettingKey): string => {
  const { fallback, kind } = definitionOf(key);
  const value = fallback();
  if (value === undefined || kind === 'flag') return '';
  const shown = asText(value);
  return shown === '' ? '' : ` [${shown}]`;
};

const settingRow = (key: SettingKey): string[] => {
  const { kind, placeholder, help } = definitionOf(key);
  const repeated = kind === 'list' ? '; may be repeated' : '';
  return [`--${flagOf(key)}${kind === 'flag' ? '' : ` ${placeholder}`}`, variableOf(key), `${help}${repeated}${fallbackOf(key)}`];
};

const optionRow = ([name, { short, type, placeholder, help }]: [string, Command['options'][string]]): string[] => [
  `${short ? `-${short}, ` : ''}--${name}${type === 'string' ? ` ${placeholder ?? 'TEXT'}` : ''}`,
  help,
];

/** The help of one command, generated from its options and the table of settings. */
export const commandHelp = (command: Command): string => {
  const parts = [`maw ${command.name}${command.args && ` ${command.args}`}`, `  ${command.summary}`];
  if (command.details) parts.push('', indent(command.details));
  const options = Object.entries(command.options);
  if (options.length > 0) parts.push('', 'Options', indent(table(['', ''], options.map(optionRow)).replace(/^\n/, '')));
  const common = [['--config FILE', 'MAW_CONFIG', 'The configuration file']];
  const rows = [...command.settings.map(settingRow), ...common];
  parts.push(
    '',
    'Settings (flag, variable, meaning); in the configuration file, the key is the variable without MAW_, in lower case',
    indent(table(['', '', ''], rows).replace(/^\n/, '')),
  );
  return parts.join('\n');
};

/** The help of `maw` itself. */
export const overview = (commands: readonly Command[]): string => {
  const rows = commands.map(({ name, args, summary }) => [`maw ${name}${args && ` ${args}`}`, summary]);
  return [
    `maw ${PRODUCT.version}: ${PRODUCT.app}`,
    '',
    indent(table(['', ''], rows).replace(/^\n/, '')),
    '',
    'maw COMMAND --help shows the options of a command.',
    'Settings come from flags, then MAW_* variables, then the configuration file, then defaults.',
    'Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 the platform cannot be reached, 4 the worker is not enrolled.',
  ].join('\n');
};
