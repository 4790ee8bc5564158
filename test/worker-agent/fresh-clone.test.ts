import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CommandContext } from '../../worker-agent/src/command.ts';
import { enrol } from '../../worker-agent/src/commands/enrol.ts';
import { loadConfig } from '../../worker-agent/src/config.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLI = 'export const main = async (words) => (console.log(JSON.stringify(words)), 0);';

/** A clone in which nothing is installed, and an npm that notes how it is called and installs nothing. */
const cloneForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-clone-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const write = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content, { mode: 0o755 });
  };
  await write('package.json', '{ "type": "module" }');
  await write('package-lock.json', '{}');
  await write('worker-agent/src/cli.ts', CLI);
  for (const path of ['scripts/bootstrap.mjs', 'local/lock.mjs', 'worker-agent/bin/maw.mjs']) {
    await write(path, '');
    await copyFile(join(ROOT, path), join(folder, path));
  }
  for (const name of ['npm', 'npx']) await write(`bin/${name}`, `#!/bin/sh\necho ${name} "$@" >> called\nmkdir node_modules\n`);
  return { folder, called: async () => (await readFile(join(folder, 'called'), 'utf8')).trim().split('\n') };
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
  it("installs the clone's own locked packages, no other, and joins", async () => {
    const { folder, called } = await cloneForTest();
    const path = `${join(folder, 'bin')}:${dirname(process.execPath)}:${process.env.PATH}`;

    const shell = spawn('sh', ['-c', await joinLine()], { cwd: folder, env: { ...process.env, PATH: path } });
    const [output, [code]] = await Promise.all([text(shell.stdout), once(shell, 'close')]);

    expect(code).toBe(0);
    expect(await called()).toEqual([expect.stringMatching(/^npm ci .*--ignore-scripts/)]);
    expect(JSON.parse(output)).toEqual(['worker', 'join', 'http://here:8080/#mae_one', '--tools', 'scripted']);
  });
});
