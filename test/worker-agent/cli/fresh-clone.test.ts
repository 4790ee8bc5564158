import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CommandContext } from '../../../worker-agent/src/cli/command.ts';
import { enrol } from '../../../worker-agent/src/cli/commands/enrol.ts';
import { loadConfig } from '../../../worker-agent/src/cli/load-config.ts';

const ROOT = join(import.meta.dirname, '../../..');
const COPIED = [
  'scripts/bootstrap.mjs',
  'local/lock.mjs',
  'worker-agent/package.json',
  'worker-agent/bin/maw.mjs',
  'worker-agent/bin/help.txt',
];
const CLI = 'export const main = async (words) => (console.log(JSON.stringify(words)), 0);';

/** A clone in which nothing is installed, and an npm that records its calls and installs nothing. */
const cloneForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-clone-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content, { mode: 0o755 });
  };
  await write('package.json', '{ "type": "module" }');
  await write('package-lock.json', '{}');
  await write('worker-agent/src/cli/main.ts', CLI);
  for (const path of COPIED) {
    await write(path, '');
    await copyFile(join(ROOT, path), join(folder, path));
  }
  for (const name of ['npm', 'npx']) await write(`bin/${name}`, `#!/bin/sh\necho ${name} "$@" >> called\nmkdir node_modules\n`);
  return {
    folder,
    called: async () => (await readFile(join(folder, 'called'), 'utf8').catch(() => '')).trim().split('\n').filter(Boolean),
  };
};

/** The output of `maw` in a folder, with the npm of that folder. */
const mawIn = async (folder: string, ...words: string[]) => {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const child = spawn(process.execPath, ['worker-agent/bin/maw.mjs', ...words], { cwd: folder, env });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { stdout, stderr, code };
};

const joinLine = async (): Promise<string> => {
  const { config } = loadConfig({ flags: { url: 'http://here:8080' }, env: {} });
  let printed = '';
  const client = { createEnrolmentToken: async () => ({ enrolment_token: 'mae_one', expires_at: '' }) };
  const io = { out: (text: string) => (printed += text) };
  await enrol.run({ io, client, config, options: {} } as unknown as CommandContext);
  return printed.split('\n').find((line) => line.includes('worker join')) ?? '';
};

describe.skipIf(process.platform === 'win32')('the command that maw enrol prints, in a clone where nothing is installed,', () => {
  it('installs only the locked packages of the clone, and joins', async () => {
    const { folder, called } = await cloneForTest();
    const path = `${join(folder, 'bin')}:${dirname(process.execPath)}:${process.env.PATH}`;

    const shell = spawn('sh', ['-c', await joinLine()], { cwd: folder, env: { ...process.env, PATH: path } });
    const [output, [code]] = await Promise.all([text(shell.stdout), once(shell, 'close')]);

    expect(code).toBe(0);
    expect(await called()).toEqual([expect.stringMatching(/^npm ci .*--ignore-scripts/)]);
    expect(JSON.parse(output)).toEqual(['worker', 'join', 'http://here:8080/#mae_one', '--tools', 'scripted']);
  });
});

describe.skipIf(process.platform === 'win32')('maw in a clone where nothing is installed', () => {
  it.each(['--help', '--version'])('prints the same for %s as an installed clone, and installs nothing', async (word) => {
    const { folder, called } = await cloneForTest();

    const [printed, installed] = await Promise.all([mawIn(folder, word), mawIn(ROOT, word)]);

    expect(printed).toEqual({ ...installed, stderr: '', code: 0 });
    expect(printed.stdout).not.toBe('');
    expect(await called()).toEqual([]);
  });
});
