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
const AWAY_MS = 1_000;
const STOP_MS = 5_000;

/**
 * Delivers messages to a handler as an event source mapping of Lambda does, without a batching window: messages that succeeded are
 * deleted; those in `batchItemFailures`, or all if the handler throws, become visible again when their visibility timeout ends.
 */
export const poll = (
  client: SQSClient,
  { url, arn }: { url: string; arn: string },
  handler: Handler<SQSEvent>,
  {
    batchSize = QUEUE_LIMITS.batch,
    concurrency = 2,
    timeoutMs = 30_000,
    visibilitySeconds = (timeoutMs / 1_000) * QUEUE_LIMITS.visibility_per_timeout,
  }: PollOptions,
  onError: (error: unknown) => void,
): Poller => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = new Set<Promise<void>>();
  const handle = createHandle(handler, { arn, timeoutMs, onError });

  const receive = async (): Promise<Message[]> => {
    const wanted = { MaxNumberOfMessages: batchSize, WaitTimeSeconds: WAIT_SECONDS, VisibilityTimeout: visibilitySeconds };
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      ...wanted,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    });
    try {
      return (await client.send(command, { abortSignal: signal })).Messages ?? [];
    } catch (error) {
      if (signal.aborted) return [];
      onError(error);
      await pause(AWAY_MS, undefined, { signal }).catch(() => {});
      return [];
    }
  };

  const deliver = async (messages: Message[]): Promise<void> => {
    const done = await handle(messages);
    if (done.length === 0) return;
    const Entries = done.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
    await client.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries })).catch(onError);
  };

  const loop = async () => {
    while (!signal.aborted) {
      if (running.size >= concurrency) {
        await Promise.race(running);
        continue;
      }
      const messages = await receive();
      if (messages.length === 0) continue;
      const work: Promise<void> = deliver(messages).finally(() => running.delete(work));
      running.add(work);
    }
  };

  const looping = loop();
  return {
    stop: async () => {
      stopping.abort();
      await withTimeout(STOP_MS, () => Promise.all([looping, ...running]), { onTimeout: () => {} });
    },
  };
};
