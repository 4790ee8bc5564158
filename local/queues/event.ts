import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs';
import type { SQSEvent, SQSMessageAttribute, SQSRecord } from 'aws-lambda';
import { REGION } from '../aws-key.ts';

export const arnOf = (queue: string) => `arn:aws:sqs:${REGION}:000000000000:${queue}`;

const attributeOf = ({ DataType, StringValue, BinaryValue }: MessageAttributeValue): SQSMessageAttribute => ({
  ...(StringValue === undefined ? {} : { stringValue: StringValue }),
  ...(BinaryValue === undefined ? {} : { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
  stringListValues: [],
  binaryListValues: [],
  dataType: DataType ?? 'String',
});

const recordOf = (message: Message, arn: string): SQSRecord => ({
  messageId: message.MessageId ?? '',
  receiptHandle: message.ReceiptHandle ?? '',
  body: message.Body ?? '',
  attributes: message.Attributes as SQSRecord['attributes'],
  messageAttributes: Object.fromEntries(
    Object.entries(message.MessageAttributes ?? {}).map(([name, attribute]) => [name, attributeOf(attribute)]),
  ),
  md5OfBody: message.MD5OfBody ?? '',
  ...(message.MD5OfMessageAttributes ? { md5OfMessageAttributes: message.MD5OfMessageAttributes } : {}),
  eventSource: 'aws:sqs',
  eventSourceARN: arn,
  awsRegion: REGION,
});

export const sqsEvent = (messages: readonly Message[], arn: string): SQSEvent => ({
  Records: messages.map((message) => recordOf(message, arn)),
});

const itemsOf = (answer: unknown): unknown =>
  typeof answer === 'object' && answer !== null && 'batchItemFailures' in answer ? answer.batchItemFailures : [];

/**
 * Returns the failed messages that a handler's result names. As in Lambda, an empty result means that all succeeded, and a result that
 * names a message outside the batch means that all failed: null.
 */
export const failuresOf = (answer: unknown, ids: readonly string[]): Set<string> | null => {
  const items = itemsOf(answer) ?? [];
  if (!Array.isArray(items)) return null;
  const named = items.map((item: { itemIdentifier?: unknown } | null) => item?.itemIdentifier);
  return named.every((id): id is string => typeof id === 'string' && ids.includes(id)) ? new Set(named) : null;
};
