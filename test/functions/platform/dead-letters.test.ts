import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { bodiesOf, messages, queuesAt, queuesForTest } from '../../local/support/queues.ts';
import { serve } from '../../support/http-server.ts';
import { freePort, until } from '../../support/processes.ts';

/** An SQS with this number of messages in each queue; it may support moving them, and records its requests. */
const watchedQueues = async (count: string, canMove: boolean) => {
  const asked: { action: string; body: Record<string, unknown> }[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const body = JSON.parse(await text(request));
    asked.push({ action, body });
    const attributes = { QueueArn: `arn:${body.QueueUrl}`, ApproximateNumberOfMessages: count, ApproximateNumberOfMessagesNotVisible: '0' };
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    if (action === 'GetQueueAttributes') response.end(JSON.stringify({ Attributes: attributes }));
    else
      response.writeHead(canMove ? 200 : 400).end(JSON.stringify(canMove ? { TaskHandle: 'x' } : { __type: 'UnknownOperationException' }));
  };
  const { endpoint } = await serve((request, response) => void answer(request, response));
  return { ...queuesAt(endpoint), asked };
};

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

const letter = {
  MessageId: 'm',
  ReceiptHandle: 'r',
  Body: '1',
  MD5OfBody: md5('1'),
  Attributes: { ApproximateReceiveCount: '5', SentTimestamp: '0' },
};
const counted = (count: number) => ({
  Attributes: { QueueArn: 'arn', ApproximateNumberOfMessages: String(count), ApproximateNumberOfMessagesNotVisible: '0' },
});

/** An SQS with these responses, the last of each repeated; it refuses everything else. */
const scriptedQueues = async (answers: Record<string, (object | null)[]>) => {
  const asked: string[] = [];
  const { endpoint } = await serve((request, response) => {
    const action = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    asked.push(action);
    const left = answers[action] ?? [null];
    const answer = left.length > 1 ? left.shift() : left[0];
    const refusal = action === 'StartMessageMoveTask' ? 'UnknownOperationException' : 'AccessDenied';
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.writeHead(answer ? 200 : 400).end(JSON.stringify(answer ?? { __type: refusal }));
  });
  return { ...queuesAt(endpoint), asked };
};

describe('dead letters', () => {
  it('are listed with their body, reason and number of receives, and stay in their queue', async () => {
    const { queues, server, counts } = await queuesForTest();
    await queues.send('events', messages(1));
    server.poll('events', () => Promise.reject(new Error('always')), { visibilitySeconds: 0.05 });
    await until('the dead letter', async () => (await counts(server.deadUrls.events)).waiting === 1);
    await queues.bury('events', '"buried"', 'it has no task\u0000');

    for (let n = 0; n < 3; n++) {
      const { letters, total } = await queues.listDead('events');

      expect(total).toBe(2);
      expect(letters.toSorted((a, b) => a.body.localeCompare(b.body))).toEqual([
        expect.objectContaining({ body: '"buried"', reason: 'it has no task ', receive_count: n + 1 }),
        expect.objectContaining({ body: '{"n":0}', reason: null, sent_at: expect.stringMatching(/^\d{4}-.*Z$/) }),
      ]);
      expect(await counts(server.deadUrls.events)).toMatchObject({ waiting: 2, hidden: 0 });
    }
  });

  it('are listed up to a number, each once, with their total', async () => {
    const { queues } = await queuesForTest();
    for (const { body } of messages(35)) await queues.bury('subtasks', body, 'x');

    const some = await queues.listDead('subtasks', 25);
    const all = await queues.listDead('subtasks');

    expect([some.letters.length, some.total]).toEqual([25, 35]);
    expect(new Set(some.letters.map(({ message_id }) => message_id))).toHaveLength(25);
    expect(all.letters).toHaveLength(35);
  });

  it('are an empty list at once if there are none', async () => {
    const { queues } = await queuesForTest();
    const { queues: watched, asked } = await watchedQueues('0', false);

    expect(await queues.listDead('subtasks')).toEqual({ letters: [], total: 0 });
    expect(await queues.redrive('subtasks')).toBe(0);

    await watched.listDead('subtasks');
    await watched.redrive('subtasks');
    expect(new Set(asked.map(({ action }) => action))).toEqual(new Set(['GetQueueAttributes', 'StartMessageMoveTask']));
  });

  it('all return to their queue and are handled once the cause is fixed', async () => {
    const { queues, server, counts } = await queuesForTest();
    const handled: string[] = [];
    let broken = true;
    await queues.send('subtasks', messages(12));
    server.poll(
      'subtasks',
      async (event) => {
        if (broken) throw new Error('broken');
        handled.push(...bodiesOf(event));
      },
      { visibilitySeconds: 0.3 },
    );
    await until('all to be dead', async () => (await counts(server.deadUrls.subtasks)).waiting === 12);
    broken = false;

    expect(await queues.redrive('subtasks')).toBe(12);

    // A message that becomes visible again before it is deleted is handled twice, hence a set.
    await until('all to be handled', () => new Set(handled).size === 12);
    expect(await counts(server.deadUrls.subtasks)).toEqual({ waiting: 0, hidden: 0, delayed: 0 });
  });

  it('are moved by SQS itself if it supports that: all of them, to their own queue', async () => {
    const { queues, asked } = await watchedQueues('3', true);

    expect(await queues.redrive('events')).toBeNull();

    expect(asked.at(-1)).toEqual({
      action: 'StartMessageMoveTask',
      body: { SourceArn: 'arn:http://sqs/0/events-dead', DestinationArn: 'arn:http://sqs/0/events' },
    });
    expect(asked.every(({ action }) => action !== 'ReceiveMessage')).toBe(true);
  });

  it('stay where they are if their queue refuses them', async () => {
    const { queues, asked } = await scriptedQueues({
      GetQueueAttributes: [counted(1)],
      ReceiveMessage: [{ Messages: [letter] }],
      DeleteMessage: [{}],
    });

    await expect(queues.redrive('events')).rejects.toThrow("can't be reached");

    expect(asked).toContain('SendMessage');
    expect(asked).not.toContain('DeleteMessage');
  });

  it('are visible again at once when listing them fails half-way', async () => {
    const { queues, asked } = await scriptedQueues({
      GetQueueAttributes: [counted(2)],
      ReceiveMessage: [{ Messages: [letter] }, null],
      ChangeMessageVisibilityBatch: [{ Successful: [], Failed: [] }],
    });

    await expect(queues.listDead('events')).rejects.toThrow("can't be reached");

    expect(asked.at(-1)).toBe('ChangeMessageVisibilityBatch');
  });

  it('cause a clear error if they are unreachable', async () => {
    const { queues } = queuesAt(`http://127.0.0.1:${await freePort()}`);

    const message = "The dead letters at http://sqs/0/events-dead can't be reached: connect ECONNREFUSED";
    await expect(queues.listDead('events')).rejects.toThrow(message);
    await expect(queues.redrive('events')).rejects.toThrow(message);
    await expect(queues.bury('events', '1', 'x')).rejects.toThrow(message);
  });
});
