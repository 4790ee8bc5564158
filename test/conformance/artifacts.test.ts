import { createHash } from 'node:crypto';
import { describe, expect } from 'vitest';
import type { Claimed } from '../../schema/attempt.ts';
import type { Transfer } from '../../schema/artifact.ts';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { targetForFile } from './support/target.ts';
import { enrolByHand, startWorkers } from './support/workers.ts';

const content = 'what the work left\n'.repeat(1_000);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const send = ({ method, url, headers }: Transfer, body?: string) =>
  fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });

describe('an artifact', { timeout: 120_000 }, () => {
  const { owner } = targetForFile();

  behaves('of a worker is stored with its name and type, and can be downloaded', async () => {
    const { client } = owner();
    const steps = [{ do: 'artifact', name: 'report.txt', content, content_type: 'text/plain' }];
    const { task_id } = await client.submitTask({ body: { goal: 'leave a file', input: { steps } } });
    await startWorkers(owner(), 1);
    await until('the task to be completed', async () => (await client.getTask({ params: { task_id } })).status === 'completed');

    const [subtask] = (await client.listSubtasks({ params: { task_id } })).items;
    const [artifact] = (await client.listArtifacts({ params: { subtask_id: subtask?.subtask_id ?? '' } })).items;
    const { download } = await client.getArtifact({ params: { artifact_id: artifact?.artifact_id ?? '' } });

    expect(artifact).toMatchObject({ name: 'report.txt', status: 'stored', size_bytes: content.length, sha256: sha256(content) });
    const fetched = await send(download!);
    expect([fetched.status, await fetched.text()]).toEqual([200, content]);
    expect(fetched.headers.get('content-type')).toContain('text/plain');
    expect((await client.listEvents({ params: { task_id } })).items.map(({ type }) => type)).toContain('artifact.stored');
  });

  behaves('is stored only once the announced bytes have been uploaded', async () => {
    const worker = await enrolByHand(owner());
    await owner().client.submitTask({ body: { goal: 'by hand' } });
    const [claimed] = await until('the claim', async () => {
      const found = await worker.claim();
      return found.length > 0 && (found as [Claimed]);
    });
    const { subtask_id } = claimed;
    const spec = { name: 'a.txt', content_type: 'text/plain', size_bytes: content.length, sha256: sha256(content) };
    const announced = await worker.client.createArtifact({ params: { subtask_id }, body: { ...worker.fence(claimed), ...spec } });
    const store = () =>
      worker.client.storeArtifact({ params: { subtask_id, artifact_id: announced.artifact_id }, body: worker.fence(claimed) });

    const early = await store().catch((error: unknown) => error);
    const wrong = await send(announced.upload!, content.replace('w', 'x'));
    const right = await send(announced.upload!, content);

    expect(early).toMatchObject({ code: 'artifact_not_stored' });
    expect([wrong.ok, right.ok]).toEqual([false, true]);
    expect(await store()).toMatchObject({ status: 'stored' });
  });
});
