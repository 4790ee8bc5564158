import { SqsSchema } from '@aws-lambda-powertools/parser/schemas/sqs';
import type { SQSEvent } from 'aws-lambda';
import { describe, expect, it, onTestFinished } from 'vitest';
import { relay } from '../../functions/domain/outbox/relay.ts';
import { type QueueName, QUEUES } from '../../schema/queue.ts';
import { consume } from '../../functions/queue/consume.ts';
import { createDirectQueues, type DirectOptions } from '../../local/queues/direct.ts';
import { backendForTest } from '../support/backend.ts';
import { until } from '../support/processes.ts';
import { drain, enrol } from '../support/worker.ts';
import { bodiesOf, messages, queuesForTest } from './support/queues.ts';

const RETRY_SECONDS = 600;

/** Direct queues in front of this machine's SQS, and the messages that reached SQS. */
const directForTest = async (options: Partial<DirectOptions> = {}) => {
  const sqs = await queuesForTest();
  const errors: unknown[] = [];
  const direct = createDirectQueues({
    queues: sqs.queues,
    retrySeconds: RETRY_SECONDS,
    onError: (error) => errors.push(error),
    ...options,
  });
  onTestFinished(() => direct.close());
  const inSqs = (queue: QueueName) => sqs.counts(sqs.server.urls[queue]);
  return { direct, errors, inSqs, sqs };
};

/** Waits until everything that is due immediately has run. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const EMPTY = { waiting: 0, hidden: 0, delayed: 0 };
const naming = ({ Records }: SQSEvent, isBad: (body: string) => boolean) => ({
  batchItemFailures: Records.filter(({ body }) => isBad(body)).map(({ messageId }) => ({ itemIdentifier: messageId })),
});

describe('a message that is due', () => {
  it('goes to the handler of its queue in an event of the published form, and not to SQS', async () => {
    const { direct, inSqs } = await directForTest();
    const events: SQSEvent[] = [];
    const others: SQSEvent[] = [];
    direct.deliver('events', async (event) => void events.push(event));
    direct.deliver('subtasks', async (event) => void others.push(event));

    expect(await direct.send('events', messages(2))).toEqual([]);
    const event = await until('the event', () => events[0]);

    expect(SqsSchema.parse(event)).toEqual(event);
    expect(bodiesOf(event)).toEqual(['{"n":0}', '{"n":1}']);
    expect(event.Records[0]?.attributes.ApproximateReceiveCount).toBe('1');
    expect(event.Records[0]?.eventSourceARN).toMatch(/:events$/);
    expect([events.length, others.length]).toEqual([1, 0]);
    expect(await inSqs('events')).toEqual(EMPTY);
  });

  it('waits for its handler if it was sent before the handler was set', async () => {
    const { direct } = await directForTest();
    const handled: string[] = [];
    await direct.send('subtasks', messages(1));
    await turn();

    direct.deliver('subtasks', async (event) => void handled.push(...bodiesOf(event)));

    await until('the message', () => handled.length === 1);
  });

  it('is handled together with messages that arrived meanwhile, in order, a limited number at a time', async () => {
    const { direct } = await directForTest({ batchSize: 10, concurrency: 2, patienceMs: 1 });
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    const batches: string[][] = [];
    let most = 0;
    let running = 0;
    direct.deliver('events', async (event) => {
      batches.push(bodiesOf(event));
      most = Math.max(most, ++running);
      await answer;
      running--;
    });

    for (const message of messages(35)) await direct.send('events', [message]);
    await until('two calls', () => running === 2);
    resolve();
    await until('all of them', () => batches.flat().length === 35);

    expect(most).toBe(2);
    expect(batches.flat()).toEqual(messages(35).map(({ body }) => body));
    expect(Math.max(...batches.map((batch) => batch.length))).toBe(10);
    expect(batches.length).toBeLessThan(35);
  });

  it('goes through SQS if too many are already waiting', async () => {
    const { direct, inSqs } = await directForTest({ mostWaiting: 5 });

    expect(await direct.send('events', messages(8))).toEqual([]);
    expect(await direct.send('events', messages(1))).toEqual([]);

    expect(await inSqs('events')).toEqual({ ...EMPTY, waiting: 4 });
  });
});

describe('a message that is delayed', () => {
  it('is held back by SQS; messages that are due do not wait for it', async () => {
    const { direct, inSqs } = await directForTest();
    const handled: string[] = [];
    direct.deliver('subtasks', async (event) => void handled.push(...bodiesOf(event)));

    await direct.send('subtasks', [
      { id: 'later', body: 'later', delaySeconds: 60 },
      { id: 'now', body: 'now' },
    ]);
    await until('the message that is due', () => handled.length > 0);

    expect(handled).toEqual(['now']);
    expect(await inSqs('subtasks')).toEqual({ ...EMPTY, delayed: 1 });
  });
});

describe('a message that failed', () => {
  it('goes only to SQS, which delivers it again later', async () => {
    const { direct, inSqs, errors } = await directForTest();
    const handled: string[] = [];
    direct.deliver('events', async (event) => {
      handled.push(...bodiesOf(event));
      return naming(event, (body) => body === '{"n":1}');
    });

    await direct.send('events', messages(3));

    await until('SQS to have it', async () => (await inSqs('events')).delayed === 1);
    expect(await inSqs('events')).toEqual({ ...EMPTY, delayed: 1 });
    expect(handled).toHaveLength(3);
    expect(errors).toEqual([]);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('as asked'))],
    ['takes too long', () => new Promise<never>(() => {})],
    ['names a message that is not in the batch', async () => ({ batchItemFailures: [{ itemIdentifier: 'other' }] })],
  ])('goes to SQS with its whole batch if the handler %s; the next ones are handled', async (_, fail) => {
    const { direct, inSqs, errors } = await directForTest({ timeoutMs: 100, concurrency: 1 });
    const handled: string[] = [];
    let calls = 0;
    direct.deliver('events', async (event) => (calls++ === 0 ? fail() : void handled.push(...bodiesOf(event))));
    await direct.send('events', messages(3));
    await until('the call', () => calls === 1);

    await direct.send('events', [{ id: 'next', body: 'next' }]);

    await until('the next', () => handled.length > 0);
    expect(handled).toEqual(['next']);
    await until('SQS to have the batch', async () => (await inSqs('events')).delayed === 3);
    expect(errors).toHaveLength(1);
  });
});

describe('a handler that answers quickly', () => {
  it('is called once at a time, with all messages that arrived meanwhile', async () => {
    const { direct } = await directForTest({ patienceMs: 60_000 });
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    const batches: string[][] = [];
    direct.deliver('events', async (event) => {
      batches.push(bodiesOf(event));
      await answer;
    });

    for (const message of messages(5)) {
      await direct.send('events', [message]);
      await turn();
    }
    resolve();
    await until('all of them', () => batches.flat().length === 5);

    expect(batches.map((batch) => batch.length)).toEqual([1, 4]);
  });
});

describe('a handler that hangs', () => {
  it('stops neither other messages of its queue nor the other queue', async () => {
    const { direct } = await directForTest({ batchSize: 1 });
    const { promise: end, resolve } = Promise.withResolvers<void>();
    onTestFinished(() => resolve());
    const handled: string[] = [];
    const take = async (event: SQSEvent) => {
      const bodies = bodiesOf(event);
      if (bodies.includes('hangs')) await end;
      else handled.push(...bodies);
    };
    direct.deliver('events', take);
    direct.deliver('subtasks', take);

    await direct.send('events', [{ id: 'hangs', body: 'hangs' }, ...messages(3)]);
    await direct.send(
      'subtasks',
      messages(1, () => 'other'),
    );

    await until('the others', () => handled.length === 4);
    expect(new Set(handled)).toEqual(new Set(['other', ...messages(3).map(({ body }) => body)]));
  });
});

describe('closing', () => {
  it('waits for calls in progress, starts none and refuses new messages', async () => {
    const { direct, inSqs } = await directForTest({ batchSize: 1, concurrency: 1 });
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    const begun: string[] = [];
    const ended: string[] = [];
    direct.deliver('events', async (event) => {
      begun.push(...bodiesOf(event));
      await answer;
      ended.push(...bodiesOf(event));
    });
    await direct.send('events', messages(3));
    await until('the call', () => begun.length === 1);

    const closed = direct.close();
    let isClosed = false;
    void closed.then(() => (isClosed = true));
    const refused = await direct.send('events', [{ id: 'too late', body: 'x' }]);
    await turn();
    expect(isClosed).toBe(false);
    resolve();
    await closed;

    expect(refused).toEqual(['too late']);
    expect(ended).toEqual(begun);
    await turn();
    expect(begun).toEqual(['{"n":0}']);
    expect(await inSqs('events')).toEqual(EMPTY);
  });
});

describe('the outbox of a transaction, delivered within the process,', () => {
  const DAG = {
    goal: 'x',
    subtasks: [
      { key: 'a', goal: 'a' },
      { key: 'b', goal: 'b', dependencies: ['a'] },
    ],
  };
  const backendWithDirect = async (options: Partial<DirectOptions> = {}) => {
    const { direct, inSqs, sqs } = await directForTest(options);
    const backend = await backendForTest({ queues: direct });
    const left = async () => (await backend.ctx.sql`select from outbox`).length;
    const deliver = () => QUEUES.forEach((queue) => direct.deliver(queue, consume(backend.ctx, queue)));
    return { backend, direct, inSqs, left, deliver, sqs };
  };

  it('drains without SQS while a task runs', async () => {
    const { backend, inSqs, left, deliver } = await backendWithDirect();
    deliver();
    const worker = await enrol(backend);

    await backend.admin.ok.submitTask({ body: DAG });
    await drain(worker);

    await expect.poll(left, { timeout: 15_000 }).toBe(0);
    for (const queue of QUEUES) expect(await inSqs(queue)).toEqual(EMPTY);
    expect(backend.logged).toEqual([]);
  });

  it('keeps its rows until they are handled, so that the relay sends what the memory of a process lost', async () => {
    const { backend, direct, left } = await backendWithDirect();
    await backend.admin.ok.submitTask({ body: DAG }); // nobody handles it, as if the process ended at once
    await direct.close();
    expect(await left()).toBe(2);

    const next = await directForTest();
    await backend.ctx.sql`update outbox set available_at = clock_timestamp()`;
    const ctx = { ...backend.ctx, queues: next.direct };
    for (const queue of QUEUES) next.direct.deliver(queue, consume(ctx, queue));
    expect(await relay(ctx)).toEqual({ relayed: 2, postponed: 0 });

    await expect.poll(left, { timeout: 15_000 }).toBe(0);
  });

  it('turns a message that can never be handled into a dead letter with its reason; the others of its batch succeed', async () => {
    const { backend, direct, sqs, left, deliver } = await backendWithDirect({ retrySeconds: 1 });
    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    const poison = { outbox_id: 1, organization_id, topic: 'events', payload: { ranges: [['not a uuid', 1, 1]] } };
    await backend.admin.ok.submitTask({ body: DAG });
    await direct.send('events', [{ id: 'poison', body: JSON.stringify(poison) }]);

    deliver();
    sqs.server.poll('events', consume(backend.ctx, 'events'), { visibilitySeconds: 1 });

    await expect.poll(left, { timeout: 15_000 }).toBe(0);
    const dead = async () => (await direct.listDead('events')).letters.map(({ body, reason }) => [JSON.parse(body), reason]);
    await expect.poll(dead, { timeout: 25_000 }).toEqual([[poison, expect.stringMatching(/UUID/i)]]);
  }, 40_000);
});
