import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import * as z from 'zod';
import { Message } from '../../schema/message.ts';
import { QUEUE_LIMITS, type QueueName } from '../../schema/queue.ts';
import type { Context } from '../domain/context.ts';
import { carryOut } from '../domain/outbox/carry-out.ts';

type Read = { record: SQSRecord; message: Message };
type Received = { record: SQSRecord; message?: Message };

const requestOf = (message: Message | undefined): string | null => (message && 'request_id' in message ? message.request_id : null);

const reasonOf = (error: unknown): string => {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
};

/**
 * Returns true if a failed message need not be received again. At its last receive it becomes a dead letter with the reason. While the
 * database is unavailable it is dropped, since it is still in the outbox and is sent again.
 */
const giveUp = async (ctx: Context, queue: QueueName, { record, message }: Received, error: unknown): Promise<boolean> => {
  const receives = Number(record.attributes.ApproximateReceiveCount);
  ctx.log('error', 'message.failed', { queue, message_id: record.messageId, request_id: requestOf(message), receives, error });
  if (ctx.isUnavailable(error)) return true;
  if (receives < QUEUE_LIMITS.last_receive || ctx.queues === null) return false;
  return ctx.queues.bury(queue, record.body, reasonOf(error)).then(
    () => true,
    () => false,
  );
};

/** Processes the messages of a batch together or, if that fails, one by one. Returns those that must be received again. */
export const consume =
  (ctx: Context, queue: QueueName) =>
  async ({ Records }: SQSEvent): Promise<SQSBatchResponse> => {
    const failed: string[] = [];
    const attempt = async <T>(received: Received, work: () => T | Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (error) {
        if (!(await giveUp(ctx, queue, received, error))) failed.push(received.record.messageId);
        return null;
      }
    };
    const good: Read[] = [];
    for (const record of Records) {
      const message = await attempt({ record }, () => Message.parse(JSON.parse(record.body)));
      if (message !== null) good.push({ record, message });
    }
    const work = async (those: readonly Read[]) => {
      await carryOut(
        ctx,
        those.map(({ message }) => message),
      );
      for (const { message } of those) {
        const request_id = requestOf(message);
        if (request_id !== null) ctx.log('info', 'message.done', { request_id, queue, topic: message.topic });
      }
    };
    try {
      await work(good);
    } catch (error) {
      ctx.log('warn', 'batch.failed', { messages: good.length, error });
      for (const each of good) await attempt(each, () => work([each]));
    }
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  };
