import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { onTestFinished } from 'vitest';
import { createQueues } from '../../../functions/platform/queues.ts';
import { createAwsKey } from '../../../local/aws-key.ts';
import { startQueues } from '../../../local/queues.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';

/** The numbers of visible, hidden and delayed messages of a queue. */
export const countsOf = async (client: SQSClient, QueueUrl: string) => {
  const { Attributes = {} } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
  return {
    waiting: Number(Attributes.ApproximateNumberOfMessages),
    hidden: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
    delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
  };
};

/** SQS for the running test, the production adapter in front of it, and its log. */
export const queuesForTest = async (options: { timeoutMs?: number } = {}) => {
  const errors: unknown[] = [];
  const logged: { event: string; fields: Record<string, unknown> | undefined }[] = [];
  const server = await startQueues({ key: createAwsKey(), onError: (error) => errors.push(error) });
  onTestFinished(() => server.close());
  const { endpoint, region, credentials, urls, deadUrls } = server;
  const queues = createQueues({
    endpoint,
    region,
    credentials,
    urls,
    deadUrls,
    log: (_, event, fields) => logged.push({ event, fields }),
    timeoutMs: PATIENCE_MS, // a message that is sent again after a timeout arrives twice, or is hidden for a long time
    ...options,
  });
  const client = new SQSClient({ endpoint, region, credentials, useQueueUrlAsEndpoint: false });
  onTestFinished(() => {
    client.destroy();
    queues.destroy();
  });
  return {
    server,
    queues,
    client,
    errors,
    logged,
    counts: (QueueUrl: string) => countsOf(client, QueueUrl),
  };
};

/** The adapter in front of a server that is not SQS. */
export const queuesAt = (endpoint: string, timeoutMs = PATIENCE_MS) => {
  const logged: [event: string, fields: Record<string, unknown>][] = [];
  const queues = createQueues({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    urls: { subtasks: 'http://sqs/0/subtasks', events: 'http://sqs/0/events' },
    deadUrls: { subtasks: 'http://sqs/0/subtasks-dead', events: 'http://sqs/0/events-dead' },
    timeoutMs,
    log: (_, event, fields = {}) => void logged.push([event, fields]),
  });
  onTestFinished(() => queues.destroy());
  return { queues, logged };
};

export const bodiesOf = ({ Records }: SQSEvent) => Records.map(({ body }) => body);

export const messages = (count: number, body: (n: number) => string = (n) => JSON.stringify({ n })) =>
  Array.from({ length: count }, (_, n) => ({ id: `m${n}`, body: body(n) }));
