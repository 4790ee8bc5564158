import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { personForTest, startWorker } from './support/cli.ts';

describe('maw, explaining what a task waits for,', { timeout: 240_000 }, () => {
  it('shows the reason automatically when a followed task does not progress, and the result at the end', async () => {
    const person = await personForTest();
    const submitted = person.start(['submit', 'say hello', '--wait']);
    await until('it to report that there is no worker', () =>
      submitted.output().includes('main is waiting: there is no worker; enrol one: maw enrol --tools scripted'),
    );

    await startWorker(person);

    await until('the task to end', () => submitted.child.exitCode !== null);
    expect(submitted.child.exitCode).toBe(0);
    const reasons = submitted.output().match(/.* is waiting: .*/g) ?? []; // there may be another reason while the worker starts
    expect(reasons).toEqual([...new Set(reasons)]);
    expect(submitted.output()).toMatch(/status +completed[\s\S]*\n\nresult of main\n {2}\S/);
  });

  it('shows it for a subtask with each worker, and for every open subtask of a task', async () => {
    const person = await personForTest();
    await startWorker(person);
    const [a, b] = [
      { key: 'a', goal: 'a', tool: 'claude' },
      { key: 'b', goal: 'b', dependencies: ['a'] },
    ];
    const { task_id } = await person.client.submitTask({ body: { goal: 'two', subtasks: [a, b] } });
    const { items } = await person.client.listSubtasks({ params: { task_id } });
    const subtask_id = items[0]?.subtask_id ?? '';
    await until('a worker', async () => (await person.client.listWorkers()).items.length === 1);

    const ofSubtask = await person.maw(['explain', subtask_id]);
    const ofTask = await person.maw(['explain', task_id]);
    const json = await person.maw(['explain', task_id, '--json']);

    expect(ofSubtask).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^a \(claude\) is ready: no worker may claim it \(.+: it does not offer the tool claude\)\n[\s\S]* no +it does not/,
      ),
    });
    expect(ofTask.out).toMatch(/\na +ready +claude .*no worker may claim it[\s\S]*\nb +blocked .*parents that have not completed: 1/);
    expect(JSON.parse(json.out)).toMatchObject({ task_id, open_count: 2, subtasks: [{ subtask_id, status: 'ready' }, {}] });
  });
});
