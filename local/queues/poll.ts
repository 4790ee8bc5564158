import { setTimeout as pause } from 'node:timers/promises';
import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { QUEUE_LIMITS } from '../../schema/queue.ts';
import { withTimeout } from '../../schema/client/with-timeout.ts';
import type { Handler } from '../lambda.ts';
import { createHandle } from './handle.ts';

export type PollOptions = {
  /** The maximum number of messages of one call. */
  batchSize?: number;
  /** The maximum number of concurrent calls. */
  concurrency?: number;
  /** How long a message stays hidden: while it is handled and, if it fails, until it is delivered again. */
  visibilitySeconds?: number;
  timeoutMs?: number;
};
export type Poller = { stop(): Promise<void> };

/** The longest that SQS waits before it returns an empty result. */
const WAIT_SECONDS = 20;
/** How long to wait after a failed request to SQS. */
const RETRY_AFTER_MS = 1_000;
const STOP_MS = 5_000;

type Queue = { url: string; arn: string };

class QueuePoller implements Poller {
  readonly #client: SQSClient;
  readonly #queue: Queue;
  readonly #options: { batchSize: number; concurrency: number; visibilitySeconds: number };
  readonly #handle: ReturnType<typeof createHandle>;
  readonly #onError: (error: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #looping: Promise<void>;

  constructor(
    client: SQSClient,
    queue: Queue,
    options: { batchSize: number; concurrency: number; visibilitySeconds: number },
    handle: ReturnType<typeof createHandle>,
    onError: (error: unknown) => void,
  ) {
    this.#client = client;
    this.#queue = queue;
    this.#options = options;
    this.#handle = handle;
    this.#onError = onError;
    this.#looping = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await withTimeout(STOP_MS, () => Promise.all([this.#looping, ...this.#running]), { onTimeout: () => {} });
  }

  async #loop(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.#running.size >= this.#options.concurrency) {
        await Promise.race(this.#running);
        continue;
      }
      const messages = await this.#receive();
      if (messages.length === 0) continue;
      const work: Promise<void> = this.#deliver(messages).finally(() => this.#running.delete(work));
      this.#running.add(work);
    }
  }

  async #receive(): Promise<Message[]> {
    const { signal } = this.#stopping;
    const command = new ReceiveMessageCommand({
      QueueUrl: this.#queue.url,
      MaxNumberOfMessages: this.#options.batchSize,
      WaitTimeSeconds: WAIT_SECONDS,
      VisibilityTimeout: this.#options.visibilitySeconds,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    });
    try {
      return (await this.#client.send(command, { abortSignal: signal })).Messages ?? [];
    } catch (error) {
      if (signal.aborted) return [];
      this.#onError(error);
      await pause(RETRY_AFTER_MS, undefined, { signal }).catch(() => {});
      return [];
    }
  }

  async #deliver(messages: Message[]): Promise<void> {
    const done = await this.#handle(messages);
    if (done.length === 0) return;
    const Entries = done.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
    await this.#client.send(new DeleteMessageBatchCommand({ QueueUrl: this.#queue.url, Entries })).catch(this.#onError);
  }
}

/**
 * Delivers messages to a handler as an event source mapping of Lambda does, without a batching window: messages that succeeded are
 * deleted; those in `batchItemFailures`, or all if the handler throws, become visible again when their visibility timeout ends.
 */
export const poll = (
  client: SQSClient,
  queue: Queue,
  handler: Handler<SQSEvent>,
  {
    batchSize = QUEUE_LIMITS.batch,
    concurrency = 2,
    timeoutMs = 30_000,
    visibilitySeconds = (timeoutMs / 1_000) * QUEUE_LIMITS.visibility_per_timeout,
  }: PollOptions,
  onError: (error: unknown) => void,
): Poller => {
  const handle = createHandle(handler, { arn: queue.arn, timeoutMs, onError });
  return new QueuePoller(client, queue, { batchSize, concurrency, visibilitySeconds }, handle, onError);
};
