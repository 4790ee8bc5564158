import { describe, expect } from 'vitest';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { NOTICED_MS, SHORT_LEASE, targetForFile } from './support/target.ts';
import { startWorkers } from './support/workers.ts';

describe('a lease', { timeout: 2 * NOTICED_MS }, () => {
  const { owner } = targetForFile(SHORT_LEASE);
  const subtaskOf = async (task_id: string) => (await owner().client.listSubtasks({ params: { task_id } })).items[0];

  behaves('of a killed worker process passes to another worker', async () => {
    const [victim] = await startWorkers(owner(), 1);
    // Only the second attempt ends by itself.
    const wait = "setTimeout(() => {}, process.env.MAW_ATTEMPT === '1' ? 300_000 : 0)";
    const { task_id } = await owner().client.submitTask({ body: { goal: 'survive', tool: 'exec', input: { argv: ['node', '-e', wait] } } });
    await until('it to run', async () => (await subtaskOf(task_id))?.status === 'running');

    await victim?.kill('SIGKILL');
    await startWorkers(owner(), 1);

    await until('the other worker to complete it', async () => (await subtaskOf(task_id))?.status === 'completed', NOTICED_MS);
    expect(await subtaskOf(task_id)).toMatchObject({ attempt: 2, infra_attempts: 1 });
  });
});
