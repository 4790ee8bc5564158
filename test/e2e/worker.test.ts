import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { personForTest, startWorker } from './support/cli.ts';

describe('maw worker', { timeout: 240_000 }, () => {
  it('once runs the available subtasks and exits; status and doctor show the enrolment', async () => {
    const person = await personForTest();
    const { task_id } = await person.client.submitTask({ body: { goal: 'one' } });
    const before = await person.maw(['worker', 'status']);
    const doctorBefore = await person.maw(['worker', 'doctor']);

    const once = await person.maw(['worker', 'once', '--enrol-token', await person.enrolToken(['scripted'])]);
    const nothing = await person.maw(['worker', 'once']);
    const after = await person.maw(['worker', 'status']);
    const doctorAfter = await person.maw(['worker', 'doctor']);

    expect(before).toMatchObject({ code: 1, out: expect.stringMatching(/enrolled +no: create a token with maw enrol/) });
    expect(doctorBefore).toMatchObject({
      code: 1,
      out: expect.stringMatching(/fail +credential: this worker is not enrolled\n +next: create a token/),
    });
    expect(once.code).toBe(0);
    expect(nothing.code).toBe(0);
    expect(await person.client.getTask({ params: { task_id } })).toMatchObject({ status: 'completed' });
    expect(after).toMatchObject({ code: 1, out: expect.stringMatching(/enrolled +[0-9a-f-]{36}\nprocess +not running/) });
    expect(doctorAfter).toMatchObject({
      code: 0,
      out: expect.stringMatching(/ok +platform at .*healthy[\s\S]*ok +credential: enrolled as/),
    });
  });

  it.skipIf(process.platform === 'win32')('drain lets it finish its subtasks without claiming more', async () => {
    const person = await personForTest();
    const release = join(person.folder, 'release');
    const wait = `const { existsSync } = require('node:fs'); const t = setInterval(() => existsSync(${JSON.stringify(release)}) && clearInterval(t), 20)`;
    const input = { argv: ['node', '-e', wait] };
    const first = await person.client.submitTask({ body: { goal: 'first', tool: 'exec', input } });
    const worker = await startWorker(person);
    const status = (task_id: string) => person.client.getTask({ params: { task_id } }).then((it) => it.status);
    await until('the first to run', async () => (await status(first.task_id)) === 'running');

    const drained = await person.maw(['worker', 'drain', '--json']);
    const second = await person.client.submitTask({ body: { goal: 'second' } });
    await writeFile(release, '');
    await until('the worker to end', () => worker.child.exitCode !== null);

    expect(JSON.parse(drained.out)).toEqual({ pid: worker.child.pid, draining: true });
    expect(worker.child.exitCode).toBe(0);
    expect(await status(first.task_id)).toBe('completed');
    expect(await status(second.task_id)).toBe('pending');
    expect(await person.maw(['worker', 'drain'])).toMatchObject({
      code: 1,
      error: expect.stringContaining('no process on this machine runs'),
    });
  });

  it.skipIf(process.platform === 'win32')('releases its subtasks when its terminal is closed, and leaves nothing running', async () => {
    const person = await personForTest();
    const file = join(person.folder, 'pid');
    const program = `require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1_000)`;
    const { task_id } = await person.client.submitTask({ body: { goal: 'long', tool: 'exec', input: { argv: ['node', '-e', program] } } });
    const worker = await startWorker(person);
    const pid = Number(await until('the command to run', async () => (await readFile(file, 'utf8').catch(() => '')) || null));

    worker.child.stdout?.destroy();
    worker.child.kill('SIGHUP');
    await until('the worker to end', () => worker.child.exitCode !== null);

    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const [subtask] = (await person.client.listSubtasks({ params: { task_id } })).items;
    expect(subtask).toMatchObject({ status: 'ready', infra_attempts: 1 });
  });

  it('refuses a used token, and a name whose worker is already running', async () => {
    const person = await personForTest();
    const token = await person.enrolToken(['scripted']);
    const worker = person.start(['worker', 'start', '--enrol-token', token, '--name', 'one']);
    await until(`it to work: ${worker.output()}`, async () => (await person.client.listWorkers()).items.length === 1);

    const again = await person.maw(['worker', 'start', '--enrol-token', token, '--name', 'one']);
    const used = await person.maw(['worker', 'start', '--enrol-token', token, '--name', 'two']);
    const none = await person.maw(['worker', 'start', '--name', 'three']);

    expect(again).toMatchObject({ code: 1, error: expect.stringContaining(`is already running, as process ${worker.child.pid}`) });
    expect(used).toMatchObject({ code: 1, error: expect.stringMatching(/next: create a new token: maw enrol/) });
    expect(none).toMatchObject({ code: 4, error: expect.stringMatching(/not enrolled[\s\S]*next: create a token/) });
  });
});
