import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
  SQSServiceException,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { QUEUE_LIMITS, type QueueName } from '../../schema/queue.ts';
import type { StoredDeadLetter, Queues } from '../domain/ports/queues.ts';

/** Messages that a queue gave up on; SQS does not record the reason. */
export type DeadLetters = Pick<Queues, 'listDead' | 'bury' | 'redrive'>;

const HIDDEN_SECONDS = 30;
const BATCH = QUEUE_LIMITS.batch;
const REASON_CHARACTERS = 1_000;
/** The error codes of SQS emulators. */
const UNKNOWN_ACTION = ['InvalidAction', 'UnknownOperationException', 'NotImplemented'];

const letterOf = ({ MessageId = '', Body = '', Attributes = {}, MessageAttributes = {} }: Message): StoredDeadLetter => ({
  message_id: MessageId,
  body: Body,
  reason: MessageAttributes.reason?.StringValue ?? null,
  receive_count: Number(Attributes.ApproximateReceiveCount),
  sent_at: new Date(Number(Attributes.SentTimestamp)).toISOString(),
});

type Urls = Record<'urls' | 'deadUrls', Record<QueueName, string>>;
type Sqs = Urls & { client: SQSClient };

const attributesOf = async (client: SQSClient, QueueUrl: string) => {
  const { Attributes = {} } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  const visible = Number(Attributes.ApproximateNumberOfMessages);
  return { visible, total: visible + Number(Attributes.ApproximateNumberOfMessagesNotVisible), arn: Attributes.QueueArn };
};

/** Waits up to a second for messages: without a wait, SQS queries only some of its servers. */
const receive = async (client: SQSClient, QueueUrl: string, most: number): Promise<Message[]> => {
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: Math.min(most, BATCH),
    VisibilityTimeout: HIDDEN_SECONDS,
    WaitTimeSeconds: 1,
    MessageSystemAttributeNames: ['All'],
    MessageAttributeNames: ['All'],
  });
  return (await client.send(command)).Messages ?? [];
};

const release = async (client: SQSClient, QueueUrl: string, messages: Message[]) => {
  for (let at = 0; at < messages.length; at += BATCH) {
    const batch = messages.slice(at, at + BATCH);
    const Entries = batch.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle, VisibilityTimeout: 0 }));
    await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  }
};

const startMove = async ({ client, urls, deadUrls }: Sqs, queue: QueueName): Promise<boolean> => {
  const [from, to] = await Promise.all([attributesOf(client, deadUrls[queue]), attributesOf(client, urls[queue])]);
  try {
    // Without a destination, messages that were buried by a handler would not be moved.
    await client.send(new StartMessageMoveTaskCommand({ SourceArn: from.arn, DestinationArn: to.arn }));
    return true;
  } catch (error) {
    if (error instanceof SQSServiceException && UNKNOWN_ACTION.includes(error.name)) return false;
    throw error;
  }
};

/** Sends before it deletes: a failure between the two leaves the message in both queues. */
const moveBack = async ({ client, urls, deadUrls }: Sqs, queue: QueueName, { Body, ReceiptHandle }: Message) => {
  await client.send(new SendMessageCommand({ QueueUrl: urls[queue], MessageBody: Body }));
  await client.send(new DeleteMessageCommand({ QueueUrl: deadUrls[queue], ReceiptHandle }));
};

const reached = async <T>(QueueUrl: string, work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (cause) {
    throw new Error(`The dead letters at ${QueueUrl} can't be reached: ${(cause as Error).message}`, { cause });
  }
};

const list = async (client: SQSClient, QueueUrl: string, most: number) => {
  const { visible, total } = await attributesOf(client, QueueUrl);
  const found: Message[] = [];
  try {
    while (found.length < Math.min(most, visible)) {
      const messages = await receive(client, QueueUrl, most - found.length);
      if (messages.length === 0) break;
      found.push(...messages);
    }
  } finally {
    await release(client, QueueUrl, found);
  }
  return { letters: found.map(letterOf), total };
};

const bury = async (client: SQSClient, QueueUrl: string, MessageBody: string, reason: string) => {
  const StringValue =
    reason
      .slice(0, REASON_CHARACTERS)
      .toWellFormed()
      .replace(/[^\t\n\r\x20-\ufffd]/g, ' ') || 'unknown';
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes: { reason: { DataType: 'String', StringValue } } }));
};

const redrive = async (sqs: Sqs, queue: QueueName) => {
  const { client, deadUrls } = sqs;
  if (await startMove(sqs, queue)) return null;
  const { visible } = await attributesOf(client, deadUrls[queue]);
  let moved = 0;
  while (moved < visible) {
    const messages = await receive(client, deadUrls[queue], visible - moved);
    if (messages.length === 0) break;
    await Promise.all(messages.map((message) => moveBack(sqs, queue, message)));
    moved += messages.length;
  }
  return moved;
};

export const createDeadLetters = (client: SQSClient, { urls, deadUrls }: Urls): DeadLetters => ({
  listDead: (queue, most = 100) => reached(deadUrls[queue], list(client, deadUrls[queue], most)),
  bury: (queue, body, reason) => reached(deadUrls[queue], bury(client, deadUrls[queue], body, reason)),
  redrive: (queue) => reached(deadUrls[queue], redrive({ client, urls, deadUrls }, queue)),
});
