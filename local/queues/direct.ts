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
  /** Receives messages that are delayed, that failed, or that exceed the limit. */
  queues: Queues;
  /** How long a failed message stays hidden before it is delivered again. */
  retrySeconds: number;
  onError: (error: unknown) => void;
  /** The maximum number of messages of one call. */
  batchSize?: number;
  /** The maximum number of concurrent calls of a queue's handler; calls that take longer than `patienceMs` do not count. */
  concurrency?: number;
  /** Messages that arrive during this time join the next call; one call costs the database a quarter less than two concurrent ones. */
  patienceMs?: number;
  /** The maximum number of messages of a queue that wait in memory. */
  mostWaiting?: number;
  timeoutMs?: number;
};
export type DirectQueues = Queues & {
  /** Sets the handlers. Messages that were sent before are delivered now. */
  deliver(queue: QueueName, handler: Handler<SQSEvent>): void;
  /** Starts no further call, and waits at most 5 s for those in progress. Waiting messages are still in the outbox. */
  close(): Promise<void>;
};

const STOP_MS = 5_000;

/** A message as SQS delivers it for the first time. */
const received = ({ body }: QueueMessage): Message => {
  const now = String(Date.now());
  return {
    MessageId: randomUUID(),
    Body: body,
    MD5OfBody: hash('md5', body),
    Attributes: { ApproximateReceiveCount: '1', SentTimestamp: now, SenderId: 'local', ApproximateFirstReceiveTimestamp: now },
  };
};

type Handle = (messages: readonly Message[]) => Promise<Message[]>;

/** The waiting messages of one queue, and the calls of its handler. */
class Lane {
  readonly #queue: QueueName;
  readonly #options: Required<DirectOptions>;
  readonly #waiting: QueueMessage[] = [];
  readonly #running = new Set<Promise<void>>();
  #handle: Handle | null = null;
  #expected = 0;
  #isDue = false;
  #stopped = false;

  constructor(queue: QueueName, options: Required<DirectOptions>) {
    this.#queue = queue;
    this.#options = options;
  }

  /** Takes as many of the messages as it has room for, from the first on; returns their number. */
  take(messages: readonly QueueMessage[]): number {
    const taken = messages.slice(0, this.#options.mostWaiting - this.#waiting.length);
    this.#waiting.push(...taken);
    this.#pumpSoon();
    return taken.length;
  }

  deliver(handler: Handler<SQSEvent>): void {
    const { timeoutMs, onError } = this.#options;
    this.#handle = createHandle(handler, { arn: arnOf(this.#queue), timeoutMs, onError });
    this.#pumpSoon();
  }

  stop(): Promise<unknown> {
    this.#stopped = true;
    return Promise.all(this.#running);
  }

  /** In a later turn of the event loop: the request that sent the message is answered first, and messages of other requests join. */
  #pumpSoon() {
    if (!this.#isDue) setImmediate(() => this.#pump());
    this.#isDue = true;
  }

  #pump() {
    this.#isDue = false;
    if (this.#handle !== null) while (this.#mayBegin()) this.#begin(this.#handle);
  }

  #mayBegin(): boolean {
    return !this.#stopped && this.#waiting.length > 0 && this.#expected === 0 && this.#running.size < this.#options.concurrency;
  }

  #begin(handle: Handle) {
    const { batchSize, onError } = this.#options;
    const end = this.#expectSoon();
    const work: Promise<void> = this.#call(this.#waiting.splice(0, batchSize), handle)
      .catch(onError)
      .finally(() => {
        this.#running.delete(work);
        end();
        this.#pump();
      });
    this.#running.add(work);
  }

  /** Counts a call as short until it ends or has taken long. */
  #expectSoon(): () => void {
    this.#expected++;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.patienceMs);
    void promise.then(() => {
      clearTimeout(timer);
      this.#expected--;
      this.#pump();
    });
    return resolve;
  }

  async #call(messages: readonly QueueMessage[], handle: Handle): Promise<void> {
    const { queues, retrySeconds } = this.#options;
    const batch = messages.map((message) => ({ message, as: received(message) }));
    const done = new Set(await handle(batch.map(({ as }) => as)));
    const failed = batch.filter(({ as }) => !done.has(as)).map(({ message }) => ({ ...message, delaySeconds: retrySeconds }));
    if (failed.length > 0) await queues.send(this.#queue, failed);
  }
}

/**
 * Queues of one process: a message that is due goes to its handler directly. As with SQS, messages are delivered at least once and in
 * any order. Nothing depends on this process's memory: the row of the outbox stays until the handler deletes it, and the relay sends
 * it again. A failed message continues in `queues`, where its receive count starts.
 */
export const createDirectQueues = (given: DirectOptions): DirectQueues => {
  const options = { batchSize: 100, concurrency: 4, patienceMs: 500, mostWaiting: 1_000, timeoutMs: 30_000, ...given };
  const { queues } = options;
  const lanes = new Map(QUEUES.map((queue) => [queue, new Lane(queue, options)]));
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
