import { describe, expect } from 'vitest';
import { ApiError } from '../../schema/client/client.ts';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { NOTICED_MS, SHORT_LEASE, targetForFile } from './support/target.ts';
import { enrolByHand, startWorkers } from './support/workers.ts';

describe('a lease', { timeout: 2 * NOTICED_MS }, () => {
  const { owner } = targetForFile(SHORT_LEASE);
  const subtaskOf = async (task_id: string) => (await owner().client.listSubtasks({ params: { task_id } })).items[0];
  const eventsOf = async (task_id: string) => (await owner().client.listEvents({ params: { task_id } })).items.map(({ type }) => type);

  behaves('that has expired passes to another worker, and writes of the first worker are then refused', async () => {
    const silent = await enrolByHand(owner());
    const { task_id } = await owner().client.submitTask({ body: { goal: 'to be taken over' } });
    const [claimed] = await until('the claim', async () => {
      const found = await silent.claim();
      return found.length > 0 && found;
    });
    await until('the lease to be lost', async () => (await eventsOf(task_id)).includes('subtask.lease_lost'), NOTICED_MS);

    await startWorkers(owner(), 1);
    await until('another worker to complete it', async () => (await subtaskOf(task_id))?.status === 'completed', NOTICED_MS);

    const late = await silent.complete(claimed!).catch((error: unknown) => error);
    expect(late).toBeInstanceOf(ApiError);
    expect(late).toMatchObject({ status: 409, code: 'lease_lost' });
    expect(await subtaskOf(task_id)).toMatchObject({ attempt: 2, infra_attempts: 1, attempts: 0 });
  });
});
