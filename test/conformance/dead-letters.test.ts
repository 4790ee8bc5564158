import { randomUUID } from 'node:crypto';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, expect } from 'vitest';
import type { DeadLetter } from '../../schema/dead-letter.ts';
import { until } from '../support/processes.ts';
import { behaves } from './support/behaviour.ts';
import { adminOf, HAS_QUEUES, targetForFile } from './support/target.ts';

/** Four tries, each after what a queue hides a message for. */
const BURIED_MS = 120_000;

describe.skipIf(!HAS_QUEUES)('a dead letter', { timeout: 300_000 }, () => {
  const { target } = targetForFile();
  const put = (url: string | undefined, MessageBody: string) =>
    target().queues?.client.send(new SendMessageCommand({ QueueUrl: url, MessageBody }));
  /** With its reason: a queue puts aside by itself, and without one, what is handled for longer than it hides it. */
  const letterOf = async (body: string, but?: DeadLetter) =>
    (await adminOf(target()).listDeadLetters({ query: { queue: 'events' } })).items.find(
      (it) => it.body === body && it.reason !== null && it.message_id !== but?.message_id,
    );

  behaves('is what was tried in vain, with its reason; an operator has it tried again', async () => {
    const poison = `poison ${randomUUID()}`;
    await put(target().queues?.urls.events, poison);
    const letter = await until('the poison to be buried', () => letterOf(poison), BURIED_MS);

    const { moved } = await adminOf(target()).redriveDeadLetters({ body: { queue: 'events' } });

    expect(letter.reason).toContain('JSON');
    expect(moved === null || moved >= 1).toBe(true);
    await until('it to be buried again', () => letterOf(poison, letter), BURIED_MS);
  });

  behaves('that can be carried out now is gone once it is tried again', async () => {
    const organization_id = randomUUID();
    const good = JSON.stringify({ topic: 'worker', outbox_id: 1_000_000_000, organization_id, payload: { worker_id: randomUUID() } });
    const queue = { queue: 'subtasks' as const };
    await put(target().queues?.deadUrls.subtasks, good);
    const total = async () => (await adminOf(target()).listDeadLetters({ query: queue })).total;
    await until('it to lie there', async () => (await total()) === 1);

    await adminOf(target()).redriveDeadLetters({ body: queue });

    await until('it to be gone', async () => (await total()) === 0);
    expect((await adminOf(target()).listDeadLetters({ query: queue })).items).toEqual([]);
  });
});
