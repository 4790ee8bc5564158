import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import * as z from 'zod';
import { QUEUE_LIMITS } from '../../schema/queue.ts';
import type { Context } from '../domain/context.ts';
import { carryOut } from '../domain/outbox/carry-out.ts';
import type { Left } from '../domain/outbox/outbox.sql.ts';
import type { QueueName } from '../domain/queues.ts';

const Row = z.object({ outbox_id: z.int(), organization_id: z.uuid(), request_id: z.string().nullable().default(null) });
const Message = z.discriminatedUnion('topic', [
  z
    .object({ topic: z.enum(['overdue', 'wake']) })
    .transform((it) => ({ ...it, outbox_id: 0, organization_id: '', payload: {}, request_id: null })),
  Row.extend({ topic: z.literal('events'), payload: z.object({ ranges: z.array(z.tuple([z.uuid(), z.int(), z.int()])).max(1_000) }) }),
  Row.extend({ topic: z.literal('worker'), payload: z.object({ worker_id: z.uuid() }) }),
  Row.extend({ topic: z.literal('ready'), payload: z.object({ subtask_ids: z.array(z.uuid()).max(1_000) }) }),
]);

type Read = { record: SQSRecord; row: Left };
type Received = { record: SQSRecord; row?: Left };

const read = (record: SQSRecord): Left => ({ ...Message.parse(JSON.parse(record.body)), delay_ms: 0 });

const reasonOf = (error: unknown): string => {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof Error ? error.message : String(error);
};

/**
 * Whether a message that failed is settled all the same: it becomes a dead letter with its reason when it has failed often, and is let go
 * while the database is away, since it is still in the outbox there and is sent again.
 */
const giveUp = async (ctx: Context, queue: QueueName, { record, row }: Received, error: unknown): Promise<boolean> => {
  const receives = Number(record.attributes.ApproximateReceiveCount);
  ctx.log('error', 'message.failed', { queue, message_id: record.messageId, request_id: row?.request_id ?? null, receives, error });
  if (ctx.isAway(error)) return true;
  if (receives < QUEUE_LIMITS.last_receive || ctx.queues === null) return false;
  return ctx.queues.bury(queue, record.body, reasonOf(error)).then(
    () => true,
    () => false,
  );
};

/** Works off a batch of a queue together; where one of them spoils it, one by one. Answers those that must come again. */
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
      const row = await attempt({ record }, () => read(record));
      if (row !== null) good.push({ record, row });
    }
    const work = async (those: readonly Read[]) => {
      await carryOut(
        ctx,
        those.map(({ row }) => row),
      );
      for (const { row } of those)
        if (row.request_id !== null) ctx.log('info', 'message.done', { request_id: row.request_id, queue, topic: row.topic });
    };
    try {
      await work(good);
    } catch (error) {
      ctx.log('warn', 'batch.failed', { messages: good.length, error });
      for (const each of good) await attempt(each, () => work([each]));
    }
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  };
