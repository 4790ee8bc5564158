import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../support/processes.ts';
import { ended, lines, personForTest, startWorker } from './support/cli.ts';

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

type Task = { task_id: string; status: string; goal: string };
type Detailed = Task & { subtasks: { subtask_id: string; key: string; status: string; result: unknown }[] };

describe('maw', { timeout: 240_000 }, () => {
  it('prints JSON with --json for every command', async () => {
    const person = await personForTest();
    await startWorker(person);
    const json = async <T>(...args: string[]): Promise<T> => {
      const answer = await person.maw([...args, '--json']);
      expect(answer, args.join(' ')).toMatchObject({ code: 0, error: '' });
      return JSON.parse(answer.out) as T;
    };
    const log = JSON.stringify({
      steps: [
        { do: 'log', text: 'a line' },
        { do: 'output', value: 42 },
      ],
    });

    const { task_id } = await json<Task>('submit', 'say something', '--input', log);
    const watched = await person.maw(['watch', task_id, '--json']);
    const { subtasks } = await json<Detailed>('get', task_id);
    const subtaskId = subtasks[0]?.subtask_id ?? '';
    const logs = await person.maw(['logs', subtaskId, '--json']);

    expect(watched.code).toBe(0);
    expect(lines(watched)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'task.completed' }),
        expect.objectContaining({ task_id, status: 'completed', results: [expect.objectContaining({ key: 'main', result: 42 })] }),
      ]),
    );
    expect(subtasks).toEqual([expect.objectContaining({ status: 'completed', result: 42 })]);
    expect(await json('get', subtaskId)).toMatchObject({ attempt_list: [{ status: 'succeeded' }] });
    expect(lines(logs)).toEqual([expect.objectContaining({ stream: 'stdout', content: 'a line\n' })]);
    expect(await json('list', '--search', 'something')).toMatchObject({ items: [{ task_id }], next_cursor: null });
    expect(await json('list', '--status', 'failed')).toMatchObject({ items: [] });
    expect(await json('workers')).toMatchObject({ items: [{ tools: ['scripted', 'exec'], status: expect.stringMatching(/online|busy/) }] });
    expect(await json('enrol', '--tools', 'exec', '--labels', 'gpu=yes')).toMatchObject({
      enrolment_token: expect.stringMatching(/^mae_/),
    });
    expect(await json('worker', 'status')).toMatchObject({ pid: expect.any(Number), platform: { worker: { slots: 1 } } });
    expect(await json('worker', 'doctor', '--tools', 'scripted')).toMatchObject({ checks: expect.any(Array) });
    expect(await json('config')).toBeInstanceOf(Object);
  });

  it('cancels, pauses, resumes and retries a task', async () => {
    const person = await personForTest();
    const change = async (command: string, id: string) =>
      JSON.parse((await person.maw([command, id, '--json'])).out) as Task & { paused: boolean; run: number };
    const { task_id } = JSON.parse((await person.maw(['submit', 'nobody works', '--json'])).out) as Task;

    expect(await change('pause', task_id)).toMatchObject({ paused: true });
    expect(await change('resume', task_id)).toMatchObject({ paused: false });
    expect(await change('cancel', task_id)).toMatchObject({ status: 'cancelled' });
    expect(await person.maw(['watch', task_id])).toMatchObject({ code: 1, out: expect.stringContaining('cancelled') });
    expect(await change('retry', task_id)).toMatchObject({ run: 2 });
    const again = await person.maw(['resume', task_id]);
    expect(again.code).toBe(0);
  });

  it('shows the results of a task', async () => {
    const person = await personForTest();
    await startWorker(person);
    const input = JSON.stringify({ steps: [{ do: 'output', value: { answer: 42 } }] });
    const { task_id } = JSON.parse(
      (await person.maw(['submit', 'answer', '--input', input, '--wait', '--json'])).out.split('\n').at(-2) ?? '',
    ) as Task;

    const shown = await person.maw(['get', task_id]);
    const watched = await person.maw(['watch', task_id]);

    expect(shown.out).toMatch(/RESULT\nmain +completed .*\{ "answer": 42 \}/);
    expect(watched.out).toMatch(/\n\nresult of main\n {2}\{\n {4}"answer": 42\n {2}\}\n$/);
  });

  it('explains an id of the wrong kind', async () => {
    const person = await personForTest();
    const { task_id } = JSON.parse((await person.maw(['submit', 'nobody works', '--json'])).out) as Task;
    const unknown = '00000000-0000-4000-8000-000000000001';

    const logs = await person.maw(['logs', task_id]);
    const get = await person.maw(['get', unknown]);

    expect(logs).toMatchObject({ code: 2, error: expect.stringMatching(`id of a task.*\\n  next: maw get ${task_id} shows`) });
    expect(get).toMatchObject({ code: 1, error: expect.stringContaining('No task or subtask has this id') });
  });

  it('exits with 1 when the awaited task failed, and shows why', async () => {
    const person = await personForTest();
    await startWorker(person);
    const input = JSON.stringify({ argv: ['node', '-e', 'console.error("it broke"); process.exit(3)'] });
    const spec = {
      goal: 'fail',
      subtasks: [{ key: 'a', goal: 'fail', tool: 'exec', input: JSON.parse(input), retry: { max_attempts: 1 } }],
    };
    const file = join(person.folder, 'failing.json');
    await writeFile(file, JSON.stringify(spec));

    const failed = await person.maw(['submit', file, '--wait']);
    const [{ subtask_id } = { subtask_id: '' }] = (
      await person.client.listSubtasks({ params: { task_id: ID.exec(failed.out)?.[0] ?? '' } })
    ).items;
    const logs = await person.maw(['logs', subtask_id]);

    expect(failed).toMatchObject({ code: 1, out: expect.stringMatching(/failed[\s\S]*it broke/) });
    expect(logs).toMatchObject({ code: 0, out: 'it broke\n' });
  });

  it('submits the same task once for one idempotency key', async () => {
    const person = await personForTest();
    const submit = ['submit', 'once', '--json', '--idempotency-key', 'k1'];

    const [first, second] = [await person.maw(submit), await person.maw(submit)];

    expect(JSON.parse(second.out)).toEqual(JSON.parse(first.out));
    expect((await person.client.listTasks()).items).toHaveLength(1);
  });

  it('suggests a fix when the server is unreachable, the key is wrong or missing, or the URL is of something else', async () => {
    const person = await personForTest();
    const key = 'mak_wrongwrongwrongwrongwrongwrongwrongwrongwro';

    const unreachable = await person.maw(['list'], { MAW_URL: 'http://127.0.0.1:1' });
    const wrong = await person.maw(['list'], { MAW_API_KEY: key });
    const missing = await person.maw(['list'], { MAW_API_KEY: '' });
    const elsewhere = await person.maw(['list'], { MAW_URL: `${person.url}/docs` });

    expect(unreachable).toMatchObject({
      code: 3,
      error: expect.stringMatching(/127\.0\.0\.1:1[\s\S]*next: check that the platform is running .*MAW_URL/),
    });
    expect(wrong).toMatchObject({ code: 1, error: expect.stringMatching(/next: set a valid API key with --api-key or MAW_API_KEY/) });
    expect(missing).toMatchObject({ code: 1, error: expect.stringMatching(/next: set a valid API key/) });
    expect(elsewhere).toMatchObject({ code: 1, error: expect.stringContaining('next:') });
    for (const { out, error } of [unreachable, wrong, missing, elsewhere]) {
      expect(out).toBe('');
      expect(error).not.toMatch(/^\s+at /m);
      expect(error).not.toContain(key);
    }
  });

  it.each<[string[], RegExp]>([
    [[], /^maw .*\n[\s\S]*maw submit/],
    [['sumbit', 'x'], /unknown command: sumbit\n {2}next: maw --help/],
    [['submit'], /maw submit requires/],
    [['submit', 'two', 'words'], /unexpected argument words/],
    [['submit', 'nowhere.yaml'], /nowhere\.yaml cannot be read[\s\S]*next: use the path/],
    [['list', '--stauts', 'x'], /--stauts[\s\S]*next: maw list --help/],
    [['list', '--status', 'done'], /not a task status[\s\S]*use one of pending/],
    [['enrol', '--labels', 'gpu'], /not in the form key=value/],
    [['get', 'abc'], /^maw: abc is not the id of a task or subtask\n {2}next: maw list shows.*\n$/],
    [['cancel', 'abc'], /^maw: abc is not the id of a task\n/],
    [['list', '--url', 'here'], /--url: must be an address such as/],
  ])('exits with 2 and explains the correct usage for %j', async (args, message) => {
    const answer = await ended(run(['worker-agent/bin/maw.mjs', ...args], { MAW_URL: 'http://127.0.0.1:1', MAW_CONFIG: '' }));

    expect(answer.code).toBe(2);
    expect(answer.out + answer.error).toMatch(message);
  });

  it('reports the errors of a file with their lines before it sends anything', async () => {
    const person = await personForTest();
    const file = join(person.folder, 'faulty.yaml');
    await writeFile(file, 'goal: x\nsubtasks:\n  - { key: a, goal: a, tol: exec }\n  - { key: b, goal: b, dependencies: [c] }\n');

    const answer = await person.maw(['submit', file]);

    expect(answer).toMatchObject({ code: 2, error: expect.stringMatching(/faulty\.yaml:3:\d+: subtasks\.0\.tol: unknown field/) });
    expect((await person.client.listTasks()).items).toEqual([]);
  });
});
