import { execFile } from 'node:child_process';
import { mkdtemp, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinUrl } from '../../worker-agent/src/cli/join-url.ts';
import { run, startSystem, until } from '../support/processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const NAME = '@multi-agent-on-the-web/worker-agent';
/** On Windows npm is a script, which only a shell can start. */
const call = (command: string, args: string[], cwd: string) =>
  promisify(execFile)(command, args, { cwd, timeout: 120_000, shell: process.platform === 'win32' });

let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'maw-package-')));
  await call('npm', ['pack', '--pack-destination', folder], join(ROOT, 'worker-agent'));
  tarball = (await readdir(folder)).find((it) => it.endsWith('.tgz')) ?? '';
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  // Offline: the package includes all that it needs.
  await call('npm', ['install', '--offline', '--no-save', `./${tarball}`], folder);
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const installed = (...path: string[]) => join(folder, 'node_modules', NAME, ...path);

describe('the worker package, installed without the rest of the project,', { timeout: 240_000 }, () => {
  it('includes all that it needs except Node, with the licences, and stays small', async () => {
    const { size } = await stat(join(folder, tarball));

    expect((await readdir(join(folder, 'node_modules'))).filter((it) => !it.startsWith('.'))).toEqual([NAME.split('/')[0]]);
    expect(await readdir(installed())).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'bin', 'dist']));
    expect(await readdir(installed('dist'))).toContain('LICENSES.txt');
    expect(size).toBeLessThan(400_000);
  });

  it('joins a running system and completes a subtask', async () => {
    const system = await startSystem();
    const { enrolment_token } = await system.admin.createEnrolmentToken({ body: { tools: ['exec'] } });
    const flags = ['--tools', 'exec', '--exec-allow', process.execPath, '--state-dir', join(folder, 'state')];
    const worker = run([installed('bin/maw.mjs'), 'worker', 'join', joinUrl(system.url, enrolment_token), ...flags]);
    system.workers.push({ ...worker, name: 'packed' });

    const input = { argv: [process.execPath, '-p', '6 * 7'] };
    const { task_id } = await system.admin.submitTask({
      body: { goal: 'Add up', subtasks: [{ key: 'a', goal: 'Add', tool: 'exec', input }] },
    });
    const status = await until('the task to end', async () => {
      if (worker.child.exitCode !== null) throw new Error(`the worker ended:\n${worker.output()}`);
      const task = await system.admin.getTask({ params: { task_id } });
      return task.status === 'completed' || task.status === 'failed' ? task.status : null;
    });
    await worker.kill('SIGTERM');

    expect(status).toBe('completed');
    expect(worker.child.exitCode).toBe(0);
    expect(worker.output()).not.toContain(enrolment_token);
  });

  it('can be imported by programs, with types', async () => {
    const use = `import { type AgentAdapter, AgentFailure, WorkerAgent } from '${NAME}';
      const agent: WorkerAgent | null = null;
      const failure: Error = new AgentFailure('tool_error', 'it broke');
      // @ts-expect-error an adapter has an id
      const tool: AgentAdapter = { id: 5 };
      console.log(typeof WorkerAgent, agent, failure.message, tool.id);`;
    await writeFile(join(folder, 'use.mts'), use);
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const options = [
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--strict',
      '--skipLibCheck',
      '--typeRoots',
      join(ROOT, 'node_modules/@types'),
    ];

    await call(process.execPath, [compiler, ...options, 'use.mts'], folder);
    const { stdout } = await call(process.execPath, ['use.mjs'], folder);

    expect(stdout).toBe('function null it broke 5\n');
  });
});
