import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../worker-agent/src/cli/command-list.ts';
import { loadConfig } from '../../../worker-agent/src/cli/load-config.ts';
import { commandHelp } from '../../../worker-agent/src/cli/help.ts';
import { definitionOf, flagOf, SETTING_KEYS, type SettingKey, variableOf } from '../../../worker-agent/src/cli/settings.ts';
import { folderForTest } from '../support/agent.ts';

/** Three valid values for each setting, different if it has enough of them. */
const SAMPLES: Record<SettingKey, readonly [string, string, string]> = {
  url: ['http://flag', 'http://variable', 'http://file'],
  api_key: ['mak_flag', 'mak_variable', 'mak_file'],
  timeout_ms: ['1001', '1002', '1003'],
  json: ['true', 'false', 'true'],
  poll_ms: ['11', '12', '13'],
  state_dir: ['/flag', '/variable', '/file'],
  name: ['flag', 'variable', 'file'],
  tools: ['exec', 'scripted', 'claude'],
  slots: ['2', '3', '4'],
  enrol_token: ['mae_flag', 'mae_variable', 'mae_file'],
  exec_allow: ['git', 'node', 'ls'],
  secrets_file: ['/flag', '/variable', '/file'],
  exec_roots: ['/a', '/b', '/c'],
  openai_url: ['http://flag/v1', 'http://variable/v1', 'http://file/v1'],
  openai_model: ['one', 'two', 'three'],
  openai_key: ['sk-flag', 'sk-variable', 'sk-file'],
  openai_no_stream: ['true', 'false', 'true'],
  openai_timeout_ms: ['5001', '5002', '5003'],
  openai_max_turns: ['7', '8', '9'],
  exec_logins: ['.a', '.b', '.c/d'],
  isolation: ['none', 'bwrap', 'env'],
  keep_workspaces: ['true', 'false', 'true'],
  kill_grace_ms: ['101', '102', '103'],
  idle_timeout_seconds: ['104', '105', '106'],
  first_event_timeout_seconds: ['107', '108', '109'],
  max_result_bytes: ['2001', '2002', '2003'],
  max_memory_mb: ['101', '102', '103'],
  max_output_mb: ['11', '12', '13'],
  max_log_bytes: ['3001', '3002', '3003'],
  report_for_ms: ['4001', '4002', '4003'],
  drain_for_ms: ['4501', '4502', '4503'],
  stall_ms: ['4601', '4602', '4603'],
  notice_url: ['http://flag', 'http://variable', 'http://file'],
  max_spool_bytes: ['65541', '65542', '65543'],
  health_port: ['5001', '5002', '5003'],
  log_format: ['json', 'text', 'json'],
};

const fileWith = async (content: string): Promise<string> => {
  const file = join(await folderForTest(), 'config.yaml');
  writeFileSync(file, content);
  return file;
};

const parsed = (key: SettingKey, raw: string | undefined) => (raw === undefined ? undefined : definitionOf(key).schema.parse(raw));

describe('the table of settings', () => {
  it.each(SETTING_KEYS)('gives %s a flag of a command, a variable and a line of help', (key) => {
    const command = COMMANDS.find(({ settings }) => settings.includes(key));
    if (command === undefined) throw new Error(`no command has the setting ${key}`);

    const line = commandHelp(command)
      .split('\n')
      .find((it) => it.trim().split(' ')[0] === `--${flagOf(key)}`);

    expect(line).toContain(variableOf(key));
    expect(line).toContain(definitionOf(key).help);
  });

  it.each(SETTING_KEYS)('reads %s from flag, variable, file and default, in this order', async (key) => {
    const file = await fileWith('');
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.boolean(), fc.boolean(), async (hasFlag, hasVariable, hasFile) => {
        const [flag, variable, inFile] = SAMPLES[key];
        writeFileSync(file, hasFile ? JSON.stringify({ [key]: inFile }) : '');

        const { config, origins } = loadConfig({
          flags: hasFlag ? { [key]: flag } : {},
          env: hasVariable ? { [variableOf(key)]: variable } : {},
          file,
        });

        const fallback = definitionOf(key).fallback();
        const expected = hasFlag ? flag : hasVariable ? variable : hasFile ? inFile : undefined;
        expect(config[key]).toEqual(expected === undefined ? fallback : parsed(key, expected));
        expect(origins[key]).toBe(hasFlag ? 'flag' : hasVariable ? 'variable' : hasFile ? 'file' : 'default');
      }),
      { numRuns: 20 },
    );
  });

  it('treats an empty variable as unset', () => {
    expect(loadConfig({ flags: {}, env: { MAW_SLOTS: '' } }).origins.slots).toBe('default');
  });

  it('reports every invalid value with its origin', async () => {
    const file = await fileWith('slots: many');
    expect(() => loadConfig({ flags: { url: 'ftp://x' }, env: { MAW_TIMEOUT_MS: '5' }, file })).toThrow(
      /--url: .*\nMAW_TIMEOUT_MS: must be at least 100\nslots in .*: must be a whole number/,
    );
  });

  it('rejects unknown settings in the file', async () => {
    const file = await fileWith('slot: 3');
    expect(() => loadConfig({ flags: {}, env: {}, file })).toThrow(/unknown settings: slot/);
  });

  it('accepts lists as repeated flags, separated by commas, or as YAML', async () => {
    const file = await fileWith('exec_allow: [git, node]');
    expect(loadConfig({ flags: { exec_roots: ['/a', '/b,/c'] }, env: {}, file }).config).toMatchObject({
      exec_allow: ['git', 'node'],
      exec_roots: ['/a', '/b', '/c'],
    });
  });
});
