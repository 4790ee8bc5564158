import type { Command } from '../command.ts';
import { asText, definitionOf, SETTING_KEYS, type SettingValue, variableOf } from '../settings.ts';
import { EXIT } from '../../terminal/command-error.ts';
import { table } from '../../terminal/text.ts';

const shown = (value: SettingValue | undefined, isSecret: boolean): string => {
  if (value === undefined) return '';
  const text = asText(value);
  return isSecret ? `${text.slice(0, 4)}…` : text;
};

export const config: Command = {
  name: 'config',
  args: '',
  summary: 'Show every setting, its value and where it comes from',
  minArgs: 0,
  maxArgs: 0,
  settings: SETTING_KEYS,
  options: {},
  run: async ({ io, loaded }) => {
    const rows = SETTING_KEYS.map((key) => ({
      key,
      variable: variableOf(key),
      value: shown(loaded.config[key], definitionOf(key).secret === true),
      origin: loaded.origins[key],
    }));
    if (loaded.config.json) io.out(JSON.stringify({ file: loaded.file, settings: rows }));
    else
      io.out(
        `${table(
          ['SETTING', 'VARIABLE', 'FROM', 'VALUE'],
          rows.map((it) => [it.key, it.variable, it.origin, it.value]),
        )}\n\nfile: ${loaded.file ?? 'none'}`,
      );
    return EXIT.ok;
  },
};
