import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../support/processes.ts';

/** Reports that it runs, and each signal that it receives; the first one ends it. */
const PROGRAM = `
import { appendFileSync } from 'node:fs';
const say = (word) => appendFileSync('written', word + '\\n');
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => (say(signal), setTimeout(() => process.exit(0), 1_200)));
say(String(process.pid));
setInterval(() => {}, 1_000);
`;

const HASH = createHash('sha256').update('{}').digest('hex');

/** A project that is already installed; with `npm` it is not, and that shell script replaces npm. */
const projectForTest = async (npm?: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'maw-bootstrap-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['local', 'scripts', 'node_modules', 'bin']) await mkdir(join(folder, name));
  for (const name of ['scripts/bootstrap.mjs', 'local/lock.mjs']) await copyFile(join(ROOT, name), join(folder, name));
  await writeFile(join(folder, 'package-lock.json'), '{}');
  if (npm === undefined) await writeFile(join(folder, 'node_modules/.installed-lock'), HASH);
  else await writeFile(join(folder, 'bin/npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
  await writeFile(join(folder, 'program.mjs'), PROGRAM);
  /** The complete words that the program has written. */
  const written = async () => (await readFile(join(folder, 'written'), 'utf8').catch(() => '')).split('\n').slice(0, -1);
  onTestFinished(async () => {
    const pid = Number((await written())[0] ?? 0);
    if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { folder, written };
};

const ROOT = join(import.meta.dirname, '../..');

/** Starts the program of such a project, which ends at once, as `node scripts/bootstrap.mjs` does. */
const startIn = async (folder: string, ...flags: string[]) => startWith(process.execPath, folder, ...flags);

const startWith = async (node: string, folder: string, ...flags: string[]) => {
  await writeFile(join(folder, 'program.mjs'), "console.log('it runs')");
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, npm_lifecycle_event: '' };
  const child = spawn(node, ['scripts/bootstrap.mjs', ...flags, 'program.mjs'], { cwd: folder, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close') as Promise<[number | null]>;
  return { child, output: () => output, ended: async () => ({ code: (await ended)[0], output }) };
};

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe.skipIf(process.platform === 'win32')('what npm run starts', { timeout: 60_000 }, () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('is asked once to stop when npm is ended by %s', async (signal) => {
    const { folder, written } = await projectForTest();
    // npm runs a script in a shell, and its signals reach only that shell.
    const command = `"${process.execPath}" scripts/bootstrap.mjs program.mjs; true`;
    const shell = spawn('sh', ['-c', command], { cwd: folder, env: { ...process.env, npm_lifecycle_event: 'start' } });
    const pid = Number(await until('the program to run', async () => (await written())[0]));

    shell.kill(signal);

    await until('the program to end', () => !isAlive(pid), 18_000);
    expect(await written()).toEqual([String(pid), 'SIGTERM']);
  });

  it('receives the signals that its starter receives, and its exit code is returned', async () => {
    const { folder, written } = await projectForTest();
    const starter = spawn(process.execPath, ['scripts/bootstrap.mjs', 'program.mjs'], { cwd: folder });
    const pid = Number(await until('the program to run', async () => (await written())[0]));

    starter.kill('SIGTERM');

    await until('the starter to end', () => starter.exitCode !== null, 18_000);
    expect(starter.exitCode).toBe(0);
    expect(await written()).toEqual([String(pid), 'SIGTERM']);
  });
});

describe.skipIf(process.platform === 'win32')('the installation of the dependencies', { timeout: 60_000 }, () => {
  it('does not block the next one when it fails', async () => {
    const { folder } = await projectForTest('echo no registry; exit 1');

    const first = await (await startIn(folder)).ended();
    const second = await (await startIn(folder)).ended();

    for (const { code, output } of [first, second]) {
      expect(code).toBe(1);
      expect(output).toMatch(/no registry\n[\s\S]*npm ci .* failed; see npm's output above/);
      expect(output).not.toContain('waiting');
    }
  });

  it('continues where a killed one has left its lock', async () => {
    const { folder } = await projectForTest('exit 0');
    const dead = spawn(process.execPath, ['-e', '']);
    await once(dead, 'close');
    await writeFile(join(folder, '.installing'), `${dead.pid} 1\n`);

    const { code, output } = await (await startIn(folder)).ended();

    expect(code).toBe(0);
    expect(output).toContain('it runs');
    expect(existsSync(join(folder, '.installing'))).toBe(false);
  });

  it('runs once when two commands need it, and the second waits', async () => {
    const { folder } = await projectForTest('echo installed >> installs; while [ ! -e go ]; do sleep 0.05; done');

    const first = await startIn(folder);
    await until('the first to install', () => existsSync(join(folder, 'installs')));
    const second = await startIn(folder);
    await until('the second to wait', () => second.output().includes('waiting for it'));
    await writeFile(join(folder, 'go'), '');

    expect(await first.ended()).toMatchObject({ code: 0, output: expect.stringContaining('it runs') });
    expect(await second.ended()).toMatchObject({ code: 0, output: expect.stringContaining('it runs') });
    expect(await readFile(join(folder, 'installs'), 'utf8')).toBe('installed\n');
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends with its starter by %s, and releases its lock', async (signal) => {
    const { folder } = await projectForTest('echo $$ > npm-pid; exec sleep 60');
    const starter = await startIn(folder);
    const pid = Number(
      await until('npm to run', async () => (await readFile(join(folder, 'npm-pid'), 'utf8').catch(() => '')).trim() || null),
    );

    starter.child.kill(signal);

    expect(await starter.ended()).toMatchObject({ code: 1, output: expect.stringContaining('interrupted') });
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(join(folder, '.installing'))).toBe(false);
  });

  it('omits the development tools until they are needed, and adds them to the existing installation', async () => {
    const { folder } = await projectForTest('echo "$@" >> installs');

    for (const flags of [[], [], ['--dev'], ['--dev']])
      expect(await (await startIn(folder, ...flags)).ended()).toMatchObject({ code: 0, output: expect.stringContaining('it runs') });

    const [first = '', second = '', ...others] = (await readFile(join(folder, 'installs'), 'utf8')).trim().split('\n');
    expect(first).toMatch(/^ci .*--omit=dev --workspace=worker-agent --include-workspace-root$/);
    expect(second).toMatch(/^install --no-save .*--ignore-scripts$/);
    expect(others).toEqual([]);
  });

  it('keeps Node 24 if the installed one runs it', async () => {
    const { folder } = await projectForTest('echo "$@" >> installs');
    const node = join(folder, 'node_modules/node/bin/node');
    await mkdir(dirname(node), { recursive: true });
    await copyFile(process.execPath, node);

    const { code } = await (await startWith(node, folder)).ended();

    expect(code).toBe(0);
    expect(await readFile(join(folder, 'installs'), 'utf8')).toMatch(/--omit=dev\n$/);
  });

  it('starts from scratch when the lock file differs', async () => {
    const { folder } = await projectForTest('echo "$@" >> installs');
    await (await startIn(folder)).ended();
    await writeFile(join(folder, 'package-lock.json'), '{ "version": 2 }');

    const { code } = await (await startIn(folder, '--dev')).ended();

    expect(code).toBe(0);
    expect(await readFile(join(folder, 'installs'), 'utf8')).toMatch(/^ci .*\nci .*--ignore-scripts\n$/);
  });
});
