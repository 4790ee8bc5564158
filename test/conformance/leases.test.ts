import { randomUUID } from 'node:crypto';
import { describe, expect } from 'vitest';
import { ApiError } from '../../schema/client.ts';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { targetForFile } from './support/target.ts';
import { enrolByHand, startWorkers } from './support/workers.ts';

/** A lease of a deployment is a minute long, and its clock goes each minute. */
const NOTICED_MS = 180_000;
const forever = { tool: 'exec', input: { argv: ['node', '-e', 'setInterval(() => {}, 1000)'] } };

describe('a lease', { timeout: 400_000 }, () => {
  const { owner } = targetForFile();
  const subtaskOf = async (task_id: string) => (await owner().client.listSubtasks({ params: { task_id } })).items[0];
  const eventsOf = async (task_id: string) => (await owner().client.listEvents({ params: { task_id } })).items.map(({ type }) => type);

  behaves('is answered again for the same claim, and its result is recorded once', async () => {
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

  behaves('that ran out goes to another worker, and what the first says then is refused', async () => {
    const silent = await enrolByHand(owner());
    const { task_id } = await owner().client.submitTask({ body: { goal: 'to be taken over' } });
    const [claimed] = await until('the claim', async () => {
      const found = await silent.claim();
      return found.length > 0 && found;
    });
    await until('the lease to be lost', async () => (await eventsOf(task_id)).includes('subtask.lease_lost'), NOTICED_MS);

    await startWorkers(owner(), 1);
    await until('another to do it', async () => (await subtaskOf(task_id))?.status === 'completed', NOTICED_MS);

    const late = await silent.complete(claimed!).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(ApiError);
    expect(late).toMatchObject({ status: 409, code: 'lease_lost' });
    expect(await subtaskOf(task_id)).toMatchObject({ attempt: 2, infra_attempts: 1, attempts: 0 });
  });

  behaves('of a worker process that was killed goes to another one', async () => {
    const [victim] = await startWorkers(owner(), 1);
    // It ends by itself only where it is tried again.
    const wait = "setTimeout(() => {}, process.env.MAW_ATTEMPT === '1' ? 1e6 : 0)";
    const { task_id } = await owner().client.submitTask({ body: { goal: 'survive', tool: 'exec', input: { argv: ['node', '-e', wait] } } });
    await until('it to run', async () => (await subtaskOf(task_id))?.status === 'running');

    await victim?.kill('SIGKILL');
    await startWorkers(owner(), 1);

    await until('the other to end it', async () => (await subtaskOf(task_id))?.status === 'completed', NOTICED_MS);
    expect(await subtaskOf(task_id)).toMatchObject({ attempt: 2, infra_attempts: 1 });
  });

  behaves('ends with the cancel of its task, and its worker is free for the next', async () => {
    await startWorkers(owner(), 1);
    const { client } = owner();
    const { task_id } = await client.submitTask({ body: { goal: 'never ends', ...forever } });
    await until('it to run', async () => (await subtaskOf(task_id))?.status === 'running');

    const cancelled = await client.cancelTask({ params: { task_id }, body: { reason: 'not wanted any more' } });
    const next = await client.submitTask({ body: { goal: 'the next' } });

    await until('the next to be done', async () => (await subtaskOf(next.task_id))?.status === 'completed');
    expect(cancelled.status).toBe('cancelled');
    expect((await eventsOf(task_id)).at(-1)).toBe('task.cancelled');
    const subtask = await client.getSubtask({ params: { subtask_id: (await subtaskOf(task_id))?.subtask_id ?? '' } });
    expect([subtask.status, subtask.attempt_list[0]?.status]).toEqual(['cancelled', 'cancelled']);
  });
});
