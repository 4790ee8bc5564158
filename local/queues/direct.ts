import { hash, randomUUID } from 'node:crypto';
import type { Message } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import type { QueueMessage, Queues } from '../../functions/domain/ports/queues.ts';
import { type QueueName, QUEUES } from '../../schema/queue.ts';
import { withTimeout } from '../../schema/client/with-timeout.ts';
import type { Handler } from '../lambda.ts';
import { arnOf } from './event.ts';
import { createHandle } from './handle.ts';

export type DirectOptions = {
  /** Takes what may not be handled yet, what failed and what there is no room for. */
  queues: Queues;
  /** After how long a message comes again that failed. */
  retrySeconds: number;
  onError: (error: unknown) => void;
  /** How many messages a call gets at most. */
  batchSize?: number;
  /** How many calls of a queue's handler there are at a time: a further one only beside those that take longer than `patienceMs`. */
  concurrency?: number;
  /** What comes meanwhile goes together with the next call, which costs a quarter less of the database than calls side by side. */
  patienceMs?: number;
  /** How many messages of a queue wait in memory at most. */
  mostWaiting?: number;
  timeoutMs?: number;
};
export type DirectQueues = Queues & {
  /** Messages that were sent before are handed over now. */
  deliver(queue: QueueName, handler: Handler<SQSEvent>): void;
  /** Begins no call any more and waits for those under way, at most 5 s; what waits is still in the outbox. */
  close(): Promise<void>;
};

const STOP_MS = 5_000;

/** A message as SQS would bring it for the first time. */
const received = ({ body }: QueueMessage): Message => {
  const now = String(Date.now());
  return {
    MessageId: randomUUID(),
    Body: body,
    MD5OfBody: hash('md5', body),
    Attributes: { ApproximateReceiveCount: '1', SentTimestamp: now, SenderId: 'local', ApproximateFirstReceiveTimestamp: now },
  };
};

type Lane = { take(messages: readonly QueueMessage[]): number; deliver(handler: Handler<SQSEvent>): void; stop(): Promise<unknown> };

/** What waits for the handler of one queue, and its calls. */
const createLane = (queue: QueueName, options: Required<DirectOptions>): Lane => {
  const { batchSize, concurrency, patienceMs, mostWaiting, timeoutMs, onError, queues, retrySeconds } = options;
  const waiting: QueueMessage[] = [];
  const running = new Set<Promise<void>>();
  let handle: ((messages: readonly Message[]) => Promise<Message[]>) | null = null;
  let expected = 0;
  let isDue = false;
  let stopped = false;

  const call = async (messages: readonly QueueMessage[], run: NonNullable<typeof handle>): Promise<void> => {
    const batch = messages.map((message) => ({ message, as: received(message) }));
    const done = new Set(await run(batch.map(({ as }) => as)));
    const failed = batch.filter(({ as }) => !done.has(as)).map(({ message }) => ({ ...message, delaySeconds: retrySeconds }));
    if (failed.length > 0) await queues.send(queue, failed);
  };

  /** Counts a call as one that may end soon, until it ends or has taken long. */
  const expectSoon = () => {
    expected++;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patienceMs);
    void promise.then(() => {
      clearTimeout(timer);
      expected--;
      pump();
    });
    return resolve;
  };

  const begin = (run: NonNullable<typeof handle>) => {
    const end = expectSoon();
    const work: Promise<void> = call(waiting.splice(0, batchSize), run)
      .catch(onError)
      .finally(() => {
        running.delete(work);
        end();
        pump();
      });
    running.add(work);
  };

  const mayBegin = () => !stopped && waiting.length > 0 && expected === 0 && running.size < concurrency;

  const pump = () => {
    isDue = false;
    if (handle !== null) while (mayBegin()) begin(handle);
  };

  /** In a turn of its own: the request that sent is answered first, and what others send meanwhile goes along. */
  const pumpSoon = () => {
    if (!isDue) setImmediate(pump);
    isDue = true;
  };

  return {
    take: (messages) => {
      const taken = messages.slice(0, mostWaiting - waiting.length);
      waiting.push(...taken);
      pumpSoon();
      return taken.length;
    },
    deliver: (handler) => {
      handle = createHandle(handler, { arn: arnOf(queue), timeoutMs, onError });
      pumpSoon();
    },
    stop: () => {
      stopped = true;
      return Promise.all(running);
    },
  };
};

/**
 * Queues of one process: what is due goes to its handler without a hop. As with SQS, messages come at least once and in any order,
 * and no promise depends on the memory of this process: the row of the outbox stays until the handler deletes it, and the relay
 * sends it again. What fails goes by `queues`, whose count of receives begins then.
 */
export const createDirectQueues = (given: DirectOptions): DirectQueues => {
  const options = { batchSize: 100, concurrency: 4, patienceMs: 500, mostWaiting: 1_000, timeoutMs: 30_000, ...given };
  const { queues } = options;
  const lanes = new Map(QUEUES.map((queue) => [queue, createLane(queue, options)]));
  let closed = false;
  const taken = (queue: QueueName, due: readonly QueueMessage[]) => lanes.get(queue)?.take(due) ?? 0;
  return {
    ...queues,
    send: async (queue, messages) => {
      if (closed) return messages.map(({ id }) => id);
      const due = messages.filter(({ delaySeconds = 0 }) => delaySeconds <= 0);
      const rest = [...due.slice(taken(queue, due)), ...messages.filter(({ delaySeconds = 0 }) => delaySeconds > 0)];
      return rest.length === 0 ? [] : queues.send(queue, rest);
    },
    deliver: (queue, handler) => lanes.get(queue)?.deliver(handler),
    close: async () => {
      closed = true;
      await withTimeout(STOP_MS, () => Promise.all([...lanes.values()].map((lane) => lane.stop())), { onTimeout: () => {} });
    },
  };
};
