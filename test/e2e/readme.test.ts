import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { personForTest } from './support/cli.ts';

const ROOT = join(import.meta.dirname, '../..');
const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

/** Runs the line that `maw enrol` prints in a shell in the root folder of the project. */
const paste = (line: string, env: Record<string, string>) => {
  const child = spawn('sh', ['-c', line], { cwd: ROOT, env: { ...process.env, ...env }, detached: true, stdio: 'ignore' });
  const closed = once(child, 'close') as Promise<[number | null]>;
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null && child.pid) process.kill(-child.pid, 'SIGKILL');
    await closed;
  });
  return closed;
};

describe('the quick start in the README', { timeout: 240_000 }, () => {
  it.skipIf(process.platform === 'win32')('leads from an empty system to two completed tasks', async () => {
    const person = await personForTest();
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
    const [, enrol = ''] = /npx maw (enrol .*?) +#/.exec(readme) ?? [];
    const file = join(person.folder, 'tasks.yaml');
    await writeFile(file, yaml);

    const enrolled = await person.maw(enrol.split(' '));
    const line = enrolled.out.split('\n').find((it) => it.includes('worker join')) ?? '';
    const worker = paste(line.trim(), person.env);
    const hello = await person.maw(['submit', 'say hello', '--wait']);
    const dag = await person.maw(['submit', file, '--wait']);
    const list = await person.maw(['list']);
    const drained = await person.maw(['worker', 'drain']);

    expect(enrolled.code).toBe(0);
    expect(hello).toMatchObject({ code: 0, out: expect.stringContaining('completed, 100 %') });
    expect(dag).toMatchObject({ code: 0, out: expect.stringContaining('3 of 3 subtasks') });
    expect(list.out).toMatch(/completed +3\/3[\s\S]*completed +1\/1 .*say hello/);
    const dagId = ID.exec(dag.out)?.[0] ?? '';
    const { items } = await person.client.listSubtasks({ params: { task_id: dagId } });
    const results = Object.fromEntries(items.map((it) => [it.key, it.result]));
    expect(results).toEqual({
      git: expect.stringMatching(/^git version/),
      node: expect.stringMatching(/^v\d+/),
      both: expect.stringMatching(/^git version .*\nv\d+/),
    });
    expect(drained.code).toBe(0);
    expect((await worker)[0]).toBe(0);
  });
});
