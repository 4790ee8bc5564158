import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/processes.ts';

/** Says that it runs, and of each signal that it got it; ends by the first. */
const PROGRAM = `
import { appendFileSync } from 'node:fs';
const say = (word) => appendFileSync('said', word + '\\n');
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => (say(signal), setTimeout(() => process.exit(0), 1_200)));
say(String(process.pid));
setInterval(() => {}, 1_000);
`;

/** A project that is installed already. */
const projectForTest = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-bootstrap-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['local', 'node_modules']) await mkdir(join(folder, name));
  await copyFile(join(import.meta.dirname, '../../local/bootstrap.mjs'), join(folder, 'local/bootstrap.mjs'));
  await writeFile(join(folder, 'package-lock.json'), '{}');
  await writeFile(join(folder, 'node_modules/.installed-lock'), createHash('sha256').update('{}').digest('hex'));
  await writeFile(join(folder, 'program.mjs'), PROGRAM);
  const said = async () => (existsSync(join(folder, 'said')) ? (await readFile(join(folder, 'said'), 'utf8')).trim().split('\n') : []);
  onTestFinished(async () => {
    const pid = Number((await said())[0]);
    if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { folder, said };
};

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe.skipIf(process.platform === 'win32')('what npm run starts', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('is asked once to end when npm is ended by %s', async (signal) => {
    const { folder, said } = await projectForTest();
    // npm runs a script by a shell, and its signals reach that shell alone.
    const command = `"${process.execPath}" local/bootstrap.mjs program.mjs; true`;
    const shell = spawn('sh', ['-c', command], { cwd: folder, env: { ...process.env, npm_lifecycle_event: 'start' } });
    const pid = Number(await until('the program to run', async () => (await said())[0]));

    shell.kill(signal);

    await until('the program to end', () => !isAlive(pid), 10_000);
    expect(await said()).toEqual([String(pid), 'SIGTERM']);
  });

  it('gets the signals that its starter gets, and its exit code is told', async () => {
    const { folder, said } = await projectForTest();
    const starter = spawn(process.execPath, ['local/bootstrap.mjs', 'program.mjs'], { cwd: folder });
    const pid = Number(await until('the program to run', async () => (await said())[0]));

    starter.kill('SIGTERM');

    await until('the starter to end', () => starter.exitCode !== null, 10_000);
    expect(starter.exitCode).toBe(0);
    expect(await said()).toEqual([String(pid), 'SIGTERM']);
  });
});
