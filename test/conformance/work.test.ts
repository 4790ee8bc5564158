import { createHash } from 'node:crypto';
import { describe, expect } from 'vitest';
import type { Client } from '../../schema/client/client.ts';
import type { Event } from '../../schema/events.ts';
import { followTask } from '../../schema/client/follow.ts';
import type { Task } from '../../schema/task.ts';
import { TASK_ENDS } from '../../schema/states.ts';
import type { Worker } from '../../schema/worker.ts';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { targetForFile } from './support/target.ts';
import { startWorkers } from './support/workers.ts';

const TASKS = 24;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A task with three subtasks and a fourth that joins their results. */
const fanIn = (number: number) => {
  const texts = ['a', 'b', 'c'].map((leaf) => `${leaf}${number}`);
  const leaves = texts.map((text) => ({ key: text, goal: `Hash ${text}`, input: { steps: [{ do: 'hash', text }] } }));
  const join = { key: 'join', goal: 'Join', input: { steps: [{ do: 'concat_inputs', separator: '-' }] }, dependencies: texts };
  return { spec: { goal: `Join the hashes of ${texts.join()}`, subtasks: [...leaves, join] }, expected: texts.map(sha256).join('-') };
};

const follow = async (client: Client, taskId: string): Promise<Event[]> => {
  const events: Event[] = [];
  for await (const event of followTask(client, taskId, { pollMs: 2_000 })) events.push(event);
  return events;
};

describe('10 workers', { timeout: 240_000 }, () => {
  const { owner } = targetForFile();

  behaves('complete 24 tasks with correct results, and every event is delivered in order', async () => {
    const { client } = owner();
    await startWorkers(owner(), 10);
    const isOwn = ({ owner_ids }: Worker) => owner_ids?.includes(owner().owner_id);
    const workers = async () => (await client.listWorkers({ query: { limit: 200 } })).items.filter(isOwn);
    await until('all of them to be enrolled', async () => (await workers()).length === 10);
    const samples = Array.from({ length: TASKS }, (_, at) => fanIn(at));

    const tasks: Task[] = [];
    for (const { spec } of samples) tasks.push(await client.submitTask({ body: spec }));
    const followed = await Promise.all(tasks.map(({ task_id }) => follow(client, task_id)));

    for (const [at, { task_id }] of tasks.entries()) {
      const params = { task_id };
      const { items } = await client.listSubtasks({ params });
      const events = followed[at] ?? [];
      expect(items.find(({ key }) => key === 'join')?.result).toBe(samples[at]?.expected);
      expect(events).toEqual((await client.listEvents({ params })).items);
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
      expect([events[0]?.type, events.at(-1)?.type]).toEqual(['task.submitted', 'task.completed']);
    }
  });

  behaves('retry a failed attempt automatically, and run a failed task again when it is retried', async () => {
    const { client } = owner();
    await startWorkers(owner(), 2);
    const refused = (key: string, until_attempt: number) => ({
      key,
      goal: 'Ask until it is let in',
      retry: { on: ['rate_limited' as const], base_ms: 100, max_attempts: 2 },
      input: {
        steps: [
          { do: 'fail', failure_class: 'rate_limited', until_attempt },
          { do: 'output', value: 'let in' },
        ],
      },
    });
    const submit = async (until_attempt: number) => {
      const task = await client.submitTask({ body: { goal: 'be patient', subtasks: [refused('door', until_attempt)] } });
      return { params: { task_id: task.task_id } };
    };
    const patient = await submit(1);
    const failing = await submit(2);

    const patientEvents = await follow(client, patient.params.task_id);
    const failedEvents = await follow(client, failing.params.task_id);
    const again = await client.retryTask(failing);
    await follow(client, failing.params.task_id);

    expect(patientEvents.map(({ type }) => type)).toContain('subtask.retried');
    expect(failedEvents.at(-1)?.type).toBe('task.failed');
    expect(again.run).toBe(2);
    for (const it of [patient, failing]) {
      expect((await client.listSubtasks(it)).items[0]).toMatchObject({ status: 'completed', result: 'let in' });
      expect(TASK_ENDS).toContain((await client.getTask(it)).status);
    }
  });
});
