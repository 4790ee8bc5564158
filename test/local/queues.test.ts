import { SqsSchema } from '@aws-lambda-powertools/parser/schemas/sqs';
import { ListQueuesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAwsKey } from '../../local/aws-key.ts';
import { until } from '../support/processes.ts';
import { bodiesOf, messages, queuesForTest } from './support/queues.ts';

const HIDDEN_SECONDS = 30;
/**
 * Stops the clock of the queues, so that nothing is delivered again, however slow this machine is. Returns the function that makes
 * hidden messages visible.
 */
const stopClock = () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  return () => vi.setSystemTime(Date.now() + HIDDEN_SECONDS * 1_000);
};
const never = () => new Promise<never>(() => {});
const failing = ({ Records }: SQSEvent, isBad: (body: string) => boolean) => ({
  batchItemFailures: Records.filter(({ body }) => isBad(body)).map(({ messageId }) => ({ itemIdentifier: messageId })),
});

describe('a queue of this machine', () => {
  it('delivers messages to its handler in an event of the published form', async () => {
    const { server, client } = await queuesForTest();
    const events: SQSEvent[] = [];
    const attributes = {
      kind: { DataType: 'String', StringValue: 'x' },
      bytes: { DataType: 'Binary', BinaryValue: new Uint8Array([255, 0]) },
    };

    await client.send(new SendMessageCommand({ QueueUrl: server.urls.events, MessageBody: '{"a":1}', MessageAttributes: attributes }));
    server.poll('events', async (event) => void events.push(event));
    const event = await until('the event', () => events[0]);

    expect(SqsSchema.parse(event)).toEqual(event);
    expect(event.Records).toHaveLength(1);
    expect(event.Records[0]).toMatchObject({
      body: '{"a":1}',
      attributes: { ApproximateReceiveCount: '1' },
      messageAttributes: { kind: { stringValue: 'x', dataType: 'String' }, bytes: { binaryValue: '/wA=', dataType: 'Binary' } },
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:events',
    });
  });

  it('deletes handled messages, and keeps the queues separate', async () => {
    const { server, queues, counts } = await queuesForTest();
    const got: Record<string, string[]> = { subtasks: [], events: [] };
    for (const queue of ['subtasks', 'events'] as const) server.poll(queue, async (event) => void got[queue]?.push(...bodiesOf(event)));

    await queues.send(
      'subtasks',
      messages(30, (n) => `"s${n}"`),
    );
    await queues.send(
      'events',
      messages(3, (n) => `"e${n}"`),
    );
    await until('all of them', () => got.subtasks?.length === 30 && got.events?.length === 3);

    await until('both to be empty', async () => {
      const all = await Promise.all([counts(server.urls.subtasks), counts(server.urls.events)]);
      return all.every(({ waiting, hidden }) => waiting + hidden === 0);
    });
    expect(new Set(got.subtasks).size).toBe(30);
    expect(got.events?.toSorted()).toEqual(['"e0"', '"e1"', '"e2"']);
  });

  it('passes at most ten messages to a call, and makes as many concurrent calls as allowed', async () => {
    const { server, queues } = await queuesForTest();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const sizes: number[] = [];
    let ended = 0;
    await queues.send('subtasks', messages(60));

    server.poll(
      'subtasks',
      async ({ Records }) => {
        sizes.push(Records.length);
        await released;
        ended += Records.length;
      },
      { concurrency: 3 },
    );
    await until('three calls', () => sizes.length === 3);
    const meanwhile = [...sizes];
    release();
    await until('all', () => ended === 60);

    expect(meanwhile).toEqual([10, 10, 10]);
    expect(sizes).toEqual([10, 10, 10, 10, 10, 10]);
  });

  it('delivers again what batchItemFailures names, and nothing else', async () => {
    const { server, queues, counts } = await queuesForTest();
    const comeAgain = stopClock();
    const handled: string[] = [];
    const badOnes = () => handled.filter((body) => body === '{"n":4}');
    let good = false;
    await queues.send('subtasks', messages(10));

    server.poll(
      'subtasks',
      async (event) => {
        handled.push(...bodiesOf(event));
        return failing(event, (body) => body === '{"n":4}' && !good);
      },
      { visibilitySeconds: HIDDEN_SECONDS },
    );
    for (const times of [1, 2, 3]) {
      await until(
        'the bad one alone to be left',
        async () => badOnes().length === times && (await counts(server.urls.subtasks)).hidden === 1,
      );
      good = times === 3;
      comeAgain();
    }
    await until('the queue to be empty', async () => Object.values(await counts(server.urls.subtasks)).every((count) => count === 0));

    expect(handled.filter((body) => body !== '{"n":4}').toSorted()).toEqual(
      messages(10)
        .map(({ body }) => body)
        .filter((body) => body !== '{"n":4}'),
    );
    expect(await counts(server.deadUrls.subtasks)).toMatchObject({ waiting: 0 });
  });

  it.each([
    ['throws', () => Promise.reject(new Error('as asked'))],
    ['takes too long', never],
    ['names a message that is not in the batch', async () => ({ batchItemFailures: [{ itemIdentifier: 'other' }] })],
    ['names nothing it means', async () => ({ batchItemFailures: [{}] })],
    ['does not answer a list', async () => ({ batchItemFailures: 'all' })],
  ])('delivers the whole batch again to a handler that %s, and reports the error to the operator', async (_, fail) => {
    const { server, queues, errors } = await queuesForTest();
    const comeAgain = stopClock();
    const handled: string[] = [];
    let calls = 0;
    await queues.send('subtasks', messages(3));

    server.poll(
      'subtasks',
      async (event) => {
        if (calls++ === 0) return fail();
        return void handled.push(...bodiesOf(event));
      },
      { visibilitySeconds: HIDDEN_SECONDS, timeoutMs: 100 },
    );
    await until('the operator to see the error', () => errors.length > 0);
    comeAgain();
    await until('all of them', () => handled.length === 3);

    expect(handled.toSorted()).toEqual(['{"n":0}', '{"n":1}', '{"n":2}']);
    expect(errors).toHaveLength(1);
  });

  it('moves a message that fails five times to the dead-letter queue, and the others of its batch are handled once', async () => {
    const { server, queues, counts } = await queuesForTest();
    const comeAgain = stopClock();
    const handled: string[] = [];
    const receives: string[] = [];
    await queues.send('events', messages(10));

    server.poll(
      'events',
      async (event) => {
        handled.push(...bodiesOf(event));
        receives.push(
          ...event.Records.filter(({ body }) => body === '{"n":7}').map(({ attributes }) => attributes.ApproximateReceiveCount),
        );
        return failing(event, (body) => body === '{"n":7}');
      },
      { visibilitySeconds: HIDDEN_SECONDS },
    );
    for (const times of [1, 2, 3, 4, 5]) {
      await until('the bad one alone to be left', async () => receives.length === times && (await counts(server.urls.events)).hidden === 1);
      comeAgain();
    }
    await until('the dead letter', async () => (await counts(server.deadUrls.events)).waiting === 1);

    expect(receives).toEqual(['1', '2', '3', '4', '5']);
    expect(handled.filter((body) => body !== '{"n":7}')).toHaveLength(9);
    expect(new Set(handled)).toHaveLength(10);
  });

  it('delivers a message twice if the first call takes longer than the visibility timeout', async () => {
    const { server, queues } = await queuesForTest();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const receives: string[] = [];
    await queues.send('events', messages(1));

    server.poll(
      'events',
      async ({ Records }) => {
        receives.push(Records[0]?.attributes.ApproximateReceiveCount ?? '');
        await released;
      },
      { visibilitySeconds: 0.1, timeoutMs: 10_000 },
    );

    await until('the duplicate', () => receives.length >= 2);
    expect(receives.slice(0, 2)).toEqual(['1', '2']);
    release();
  });

  it('refuses clients without the key of this process', async () => {
    const { server } = await queuesForTest();
    const stranger = new SQSClient({ endpoint: server.endpoint, region: server.region, credentials: createAwsKey() });
    onTestFinished(() => stranger.destroy());

    await expect(stranger.send(new ListQueuesCommand({}))).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    for (const path of ['/health', '/_fauxqs/queues', '/_fauxqs/queues/subtasks', '/bucket'])
      expect((await fetch(`${server.endpoint}${path}`)).status).toBe(403);
    expect(new URL(server.endpoint).hostname).toBe('127.0.0.1');
  });
});

describe('stopping the queues', () => {
  it('waits for calls in progress and starts none', async () => {
    const { server, queues, errors } = await queuesForTest();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const begun: string[] = [];
    const ended: string[] = [];
    const answer = async (event: SQSEvent) => {
      begun.push(...bodiesOf(event));
      await released;
      ended.push(...bodiesOf(event));
    };
    server.poll('events', answer, { batchSize: 1, concurrency: 1 });
    await queues.send('events', messages(3));
    await until('the call', () => begun.length === 1);

    const closed = server.close();
    release();
    await closed;

    expect(ended).toEqual(begun);
    expect(begun).toHaveLength(1);
    expect(errors).toEqual([]);
    await expect(fetch(server.endpoint)).rejects.toThrow('fetch failed');
  });

  it('does not wait for the end of an empty long poll', async () => {
    const { server } = await queuesForTest();
    server.poll('events', async () => {});
    server.poll('subtasks', async () => {});

    const started = performance.now();
    await server.close();

    expect(performance.now() - started).toBeLessThan(5_000); // the longest that it waits
  });
});
