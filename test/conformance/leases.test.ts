import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { targetForFile } from './support/target.ts';
import { enrolByHand, startWorkers } from './support/workers.ts';

const forever = { tool: 'exec', input: { argv: ['node', '-e', 'setInterval(() => {}, 1000)'] } };

describe('a lease', { timeout: 120_000 }, () => {
  const { owner } = targetForFile();
  const subtaskOf = async (task_id: string) => (await owner().client.listSubtasks({ params: { task_id } })).items[0];
  const eventsOf = async (task_id: string) => (await owner().client.listEvents({ params: { task_id } })).items.map(({ type }) => type);

  behaves('is returned again for the same claim, and its result is recorded once', async () => {
    const worker = await enrolByHand(owner());
    const { task_id } = await owner().client.submitTask({ body: { goal: 'once' } });
    const claimRequestId = randomUUID();
    const [claimed] = await until('the claim', async () => {
      const found = await worker.claim(claimRequestId);
      return found.length > 0 && found;
    });
    const again = await worker.claim(claimRequestId);

    const done = await worker.complete(claimed!, { n: 1 });
    const repeated = await worker.complete(claimed!, { n: 1 });

    expect(again.map(({ lease_token }) => lease_token)).toEqual([claimed?.lease_token]);
    expect(repeated).toEqual(done);
    expect(await subtaskOf(task_id)).toMatchObject({ status: 'completed', result: { n: 1 }, attempt: 1 });
    expect((await eventsOf(task_id)).filter((type) => type === 'subtask.completed')).toHaveLength(1);
  });

  behaves('ends when its task is cancelled, and its worker is free for the next subtask', async () => {
    await startWorkers(owner(), 1);
    const { client } = owner();
    const { task_id } = await client.submitTask({ body: { goal: 'never ends', ...forever } });
    await until('it to run', async () => (await subtaskOf(task_id))?.status === 'running');

    const cancelled = await client.cancelTask({ params: { task_id }, body: { reason: 'no longer needed' } });
    const next = await client.submitTask({ body: { goal: 'the next' } });

    await until('the next to be completed', async () => (await subtaskOf(next.task_id))?.status === 'completed');
    expect(cancelled.status).toBe('cancelled');
    expect((await eventsOf(task_id)).at(-1)).toBe('task.cancelled');
    const subtask = await client.getSubtask({ params: { subtask_id: (await subtaskOf(task_id))?.subtask_id ?? '' } });
    expect([subtask.status, subtask.attempt_list[0]?.status]).toEqual(['cancelled', 'cancelled']);
  });
});
