import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { textBytes } from '../../schema/json.ts';
import { QUEUE_LIMITS, type QueueName } from '../../schema/queue.ts';
import type { Log } from '../domain/ports/log.ts';
import type { QueueMessage, Queues } from '../domain/ports/queues.ts';
import { type AwsTarget, httpOf, targetOf } from './aws.ts';
import { createDeadLetters, type DeadLetters } from './dead-letters.ts';

export type QueueOptions = AwsTarget & {
  urls: Record<QueueName, string>;
  /** The dead-letter queue of each queue. */
  deadUrls: Record<QueueName, string>;
  log: Log;
  /** The time limit of a call, for all its batches together. */
  timeoutMs?: number;
};

const { batch: BATCH, batch_bytes: BATCH_BYTES, longest_delay_seconds: LONGEST_DELAY_SECONDS } = QUEUE_LIMITS;
const AT_ONCE = 4;

/**
 * Characters that SQS refuses. In JSON they occur only in strings, where they can be escaped. Surrogates are escaped one by one:
 * emulators refuse characters beyond U+FFFF.
 */
const REFUSED = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g;
const escapeRefused = (json: string) => json.replace(REFUSED, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`);

type Packed = { batches: QueueMessage[][]; tooLarge: QueueMessage[] };

/** Packs messages in order into batches of at most ten messages and one MiB. */
const pack = (messages: readonly QueueMessage[]): Packed => {
  const packed: Packed = { batches: [], tooLarge: [] };
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const size = textBytes(message.body);
    const last = packed.batches.at(-1);
    if (size > BATCH_BYTES) packed.tooLarge.push(message);
    else if (last && last.length < BATCH && bytes + size <= BATCH_BYTES) {
      last.push(message);
      bytes += size;
    } else {
      packed.batches.push([message]);
      bytes = size;
    }
  }
  return packed;
};

const entryOf = ({ body, delaySeconds = 0 }: QueueMessage, at: number) => ({
  Id: String(at),
  MessageBody: body,
  ...(delaySeconds > 0 ? { DelaySeconds: Math.min(Math.ceil(delaySeconds), LONGEST_DELAY_SECONDS) } : {}),
});

const idsOf = (messages: readonly QueueMessage[]) => messages.map(({ id }) => id);

type SenderSettings = Required<Pick<QueueOptions, 'urls' | 'log' | 'timeoutMs'>> & { client: SQSClient };

class Sender {
  readonly #client: SQSClient;
  readonly #urls: Record<QueueName, string>;
  readonly #log: Log;
  readonly #timeoutMs: number;

  constructor({ client, urls, log, timeoutMs }: SenderSettings) {
    this.#client = client;
    this.#urls = urls;
    this.#log = log;
    this.#timeoutMs = timeoutMs;
  }

  async send(queue: QueueName, messages: readonly QueueMessage[]): Promise<string[]> {
    const { batches, tooLarge } = pack(messages.map((message) => ({ ...message, body: escapeRefused(message.body) })));
    const refused = tooLarge.map(({ id }) => this.#refuse(queue, id, `larger than ${BATCH_BYTES} bytes`));
    return [...refused, ...(await this.#sendBatches(queue, batches))];
  }

  /** Returns the ids that were not sent; after the first batch without a response, no other is tried. */
  async #sendBatches(queue: QueueName, batches: readonly QueueMessage[][]): Promise<string[]> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const waiting = batches.values();
    const unsent: string[] = [];
    let failure: unknown = null;
    const sendNext = async () => {
      for (const batch of waiting) {
        try {
          unsent.push(...(failure === null ? await this.#sendBatch(queue, batch, deadline) : idsOf(batch)));
        } catch (error) {
          failure = error;
          unsent.push(...idsOf(batch));
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
    if (failure !== null) this.#log('warn', 'queue.unavailable', { queue, url: this.#urls[queue], unsent: unsent.length, error: failure });
    return unsent;
  }

  /** Returns the ids that SQS refused. */
  async #sendBatch(queue: QueueName, batch: readonly QueueMessage[], abortSignal: AbortSignal): Promise<string[]> {
    const command = new SendMessageBatchCommand({ QueueUrl: this.#urls[queue], Entries: batch.map(entryOf) });
    const { Failed = [] } = await this.#client.send(command, { abortSignal });
    return Failed.map(({ Id, Code, Message }) => this.#refuse(queue, batch[Number(Id)]?.id ?? '', `${Code}: ${Message}`));
  }

  #refuse(queue: QueueName, id: string, reason: string): string {
    this.#log('error', 'queue.refused', { queue, id, reason });
    return id;
  }
}

/** Sends to SQS. A retry after a lost response sends a message twice; delays are limited to 900 s. */
export const createQueues = (options: QueueOptions): Queues & DeadLetters & { destroy(): void } => {
  const { urls, deadUrls, log, timeoutMs = 2_000, ...target } = options;
  const client = new SQSClient({
    ...targetOf(target),
    useQueueUrlAsEndpoint: !target.endpoint,
    requestHandler: httpOf(timeoutMs),
    maxAttempts: 2,
  });
  const sender = new Sender({ client, urls, log, timeoutMs });
  return {
    send: (queue, messages) => sender.send(queue, messages),
    ...createDeadLetters(client, { urls, deadUrls }),
    destroy: () => client.destroy(),
  };
};
