import { SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { bodiesOf, messages, queuesAt, queuesForTest } from '../../local/support/queues.ts';
import { serve } from '../../support/http-server.ts';
import { freePort, until } from '../../support/processes.ts';

describe('sending to a queue', () => {
  it('delivers every message, however many there are', async () => {
    const { queues, server } = await queuesForTest();
    const got: string[] = [];
    server.poll('subtasks', async (event) => void got.push(...bodiesOf(event)));

    const failed = await queues.send('subtasks', messages(95));
    await until('all of them', () => got.length === 95);

    expect(failed).toEqual([]);
    expect(new Set(got)).toHaveLength(95);
  });

  it('sends nothing when there is nothing', async () => {
    const { queues } = queuesAt('http://127.0.0.1:9');

    expect(await queues.send('events', [])).toEqual([]);
  });

  it('splits messages that exceed one MiB together', async () => {
    const { queues, server, counts } = await queuesForTest();

    const failed = await queues.send(
      'events',
      messages(4, () => JSON.stringify('ö'.repeat(262_143))),
    );

    expect(failed).toEqual([]);
    expect((await counts(server.urls.events)).waiting).toBe(4);
  });

  it('sends a message of exactly one MiB, and reports a larger one with the reason; the others are sent', async () => {
    const { queues, server, counts, logged } = await queuesForTest();
    const sizes = { small: 10, largest: 1_048_576, larger: 1_048_577 };

    const failed = await queues.send(
      'events',
      Object.entries(sizes).map(([id, bytes]) => ({ id, body: JSON.stringify('x'.repeat(bytes - 2)) })),
    );

    expect(failed).toEqual(['larger']);
    expect((await counts(server.urls.events)).waiting).toBe(2);
    expect(logged).toEqual([{ event: 'queue.refused', fields: { queue: 'events', id: 'larger', reason: 'larger than 1048576 bytes' } }]);
  });

  it.each([
    ['control characters', '\u0000\u0001\u001f\u007f\u0085'],
    ['noncharacters', '\ufffe\uffff'],
    ['half of a pair', '\ud800x\udc00'],
    ['what needs no care', 'ö 任務 🙂 \u{1fffe} "\\n" \n\t'],
  ])('carries %s as they are', async (_, value) => {
    const { queues, server } = await queuesForTest();
    const got: string[] = [];
    server.poll('events', async (event) => void got.push(...bodiesOf(event)));

    const failed = await queues.send('events', [{ id: 'a', body: JSON.stringify({ value }) }]);

    expect(failed).toEqual([]);
    expect(JSON.parse(await until('the message', () => got[0]))).toEqual({ value });
  });

  it('reports the messages that SQS refuses, with its reason, and sends the others of their batch', async () => {
    const { queues, server, client, counts, logged } = await queuesForTest();
    await client.send(new SetQueueAttributesCommand({ QueueUrl: server.urls.events, Attributes: { MaximumMessageSize: '1024' } }));

    const failed = await queues.send('events', [
      { id: 'good', body: '1' },
      { id: 'bad', body: JSON.stringify('x'.repeat(1_024)) },
      { id: 'good too', body: '2' },
    ]);

    expect(failed).toEqual(['bad']);
    expect((await counts(server.urls.events)).waiting).toBe(2);
    expect(logged).toMatchObject([{ event: 'queue.refused', fields: { id: 'bad', reason: expect.stringContaining('1024 bytes') } }]);
  });

  it('delays a message by its delay, at most 900 s', async () => {
    const { queues, server, counts } = await queuesForTest();

    await queues.send('subtasks', [
      { id: 'now', body: '1' },
      { id: 'soon', body: '2', delaySeconds: 0.01 },
      { id: 'much later', body: '3', delaySeconds: 86_400 },
    ]);

    expect(await counts(server.urls.subtasks)).toEqual({ waiting: 1, hidden: 0, delayed: 2 });
    expect(await queues.send('subtasks', [{ id: 'never', body: '4', delaySeconds: 0 }])).toEqual([]);
  });

  it('reports every message as not sent, with a clear reason, when SQS is unreachable', async () => {
    const { queues, logged } = queuesAt(`http://127.0.0.1:${await freePort()}`);

    const failed = await queues.send('subtasks', messages(1_000));

    expect(failed.toSorted()).toEqual(
      messages(1_000)
        .map(({ id }) => id)
        .toSorted(),
    );
    expect(logged).toEqual([
      [
        'queue.unavailable',
        { queue: 'subtasks', url: 'http://sqs/0/subtasks', unsent: 1_000, error: expect.objectContaining({ code: 'ECONNREFUSED' }) },
      ],
    ]);
  });

  it('gives up when SQS accepts the connection and never responds, and sends no more', async () => {
    let asked = 0;
    const { endpoint } = await serve(() => void asked++);
    const { queues, logged } = queuesAt(endpoint, 300);

    expect(await queues.send('events', messages(1_000))).toHaveLength(1_000);

    expect(asked).toBeLessThanOrEqual(8); // four batches of a hundred, each twice
    expect(logged.map(([event]) => event)).toEqual(['queue.unavailable']);
  });
});
