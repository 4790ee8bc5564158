import { randomUUID } from 'node:crypto';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, expect } from 'vitest';
import type { DeadLetter } from '../../schema/dead-letter.ts';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { adminOf, HAS_QUEUES, targetForFile } from './support/target.ts';

/** Time for four deliveries, each after the visibility timeout of the queue. */
const DEAD_MS = 120_000;

describe.skipIf(!HAS_QUEUES)('a dead letter', { timeout: 300_000 }, () => {
  const { target } = targetForFile();
  const put = (url: string | undefined, MessageBody: string) =>
    target().queues?.client.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
  /** The dead letter with its reason. A queue may also move a message by itself, without a reason, when its handler exceeds the visibility timeout. */
  const letterOf = async (body: string, except?: DeadLetter) =>
    (await adminOf(target()).listDeadLetters({ query: { queue: 'events' } })).items.find(
      (it) => it.body === body && it.reason !== null && it.message_id !== except?.message_id,
    );

  behaves('is a message that failed repeatedly, with the reason; an operator can send it back to its queue', async () => {
    const poison = `poison ${randomUUID()}`;
    await put(target().queues?.urls.events, poison);
    const letter = await until('the poison message to be a dead letter', () => letterOf(poison), DEAD_MS);

    const { moved } = await adminOf(target()).redriveDeadLetters({ body: { queue: 'events' } });

    expect(letter.reason).toContain('JSON');
    expect(moved === null || moved >= 1).toBe(true);
    await until('it to be a dead letter again', () => letterOf(poison, letter), DEAD_MS);
  });

  behaves('that can now be handled is gone after it was sent back', async () => {
    const organization_id = randomUUID();
    const good = JSON.stringify({ topic: 'worker', outbox_id: 1_000_000_000, organization_id, payload: { worker_id: randomUUID() } });
    const queue = { queue: 'subtasks' as const };
    await put(target().queues?.deadUrls.subtasks, good);
    const total = async () => (await adminOf(target()).listDeadLetters({ query: queue })).total;
    await until('the dead letter to be counted', async () => (await total()) === 1);

    await adminOf(target()).redriveDeadLetters({ body: queue });

    await until('it to be gone', async () => (await total()) === 0);
    expect((await adminOf(target()).listDeadLetters({ query: queue })).items).toEqual([]);
  });
});
