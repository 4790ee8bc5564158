import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { z } from 'zod';
import type { Context } from '../domain/context.ts';
import { carryOut } from '../domain/outbox/carry-out.ts';
import type { Left } from '../domain/outbox/outbox.sql.ts';

const Row = z.object({ outbox_id: z.int(), organization_id: z.uuid() });
const Message = z.discriminatedUnion('topic', [
  Row.extend({ topic: z.literal('events'), payload: z.object({ ranges: z.array(z.tuple([z.uuid(), z.int(), z.int()])).max(1_000) }) }),
  Row.extend({ topic: z.literal('worker'), payload: z.object({ worker_id: z.uuid() }) }),
  Row.extend({ topic: z.literal('ready'), payload: z.object({ subtask_ids: z.array(z.uuid()).max(1_000) }) }),
]);

type Read = { record: SQSRecord; row: Left };

const read = (record: SQSRecord): Left => ({ ...Message.parse(JSON.parse(record.body)), delay_ms: 0 });

/** Works off a batch of a queue together; where one of them spoils it, one by one. Answers those that must come again. */
export const consume =
  (ctx: Context) =>
  async ({ Records }: SQSEvent): Promise<SQSBatchResponse> => {
    const failed: string[] = [];
    const attempt = async <T>(record: SQSRecord, work: () => T | Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (error) {
        ctx.log('error', 'message.failed', { message_id: record.messageId, receives: record.attributes.ApproximateReceiveCount, error });
        failed.push(record.messageId);
        return null;
      }
    };
    const good: Read[] = [];
    for (const record of Records) {
      const row = await attempt(record, () => read(record));
      if (row !== null) good.push({ record, row });
    }
    try {
      await carryOut(
        ctx,
        good.map(({ row }) => row),
      );
    } catch (error) {
      ctx.log('warn', 'batch.failed', { messages: good.length, error });
      for (const { record, row } of good) await attempt(record, () => carryOut(ctx, [row]));
    }
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  };
