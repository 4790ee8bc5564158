import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { buildApp } from 'fauxqs';
import { QUEUE_LIMITS, type QueueName, QUEUES } from '../schema/queue.ts';
import { type AwsKey, holdsKey, REGION } from './aws-key.ts';
import type { Handler } from './lambda.ts';
import { arnOf } from './queues/event.ts';
import { poll, type Poller, type PollOptions } from './queues/poll.ts';

export type LocalQueues = {
  /** What an SQS client needs. */
  endpoint: string;
  region: string;
  credentials: AwsKey;
  urls: Record<QueueName, string>;
  deadUrls: Record<QueueName, string>;
  poll(queue: QueueName, handler: Handler<SQSEvent>, options?: PollOptions): Poller;
  close(): Promise<void>;
};

/**
 * SQS in this process: two queues, each with a dead-letter queue. Messages are kept in memory and are lost when the process ends, as
 * are dead letters. No work is lost: it is recorded in the outbox in PostgreSQL, and the sweep sends again what had no effect.
 */
export const startQueues = async ({ key, onError }: { key: AwsKey; onError: (error: unknown) => void }): Promise<LocalQueues> => {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  app.addHook('onRequest', (request, reply, done) => {
    if (holdsKey(request.raw, key)) done();
    else
      void reply
        .code(403)
        .send({ __type: 'com.amazonaws.sqs#AccessDeniedException', message: 'Signed with a key that is not of this process' });
  });
  // Its own start function would listen on all interfaces.
  const endpoint = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = new SQSClient({ endpoint, region: REGION, credentials: key, useQueueUrlAsEndpoint: false });
  const pollers: Poller[] = [];

  const create = async (name: string, Attributes: Record<string, string> = {}) =>
    (await client.send(new CreateQueueCommand({ QueueName: name, Attributes }))).QueueUrl ?? '';
  const createWithDead = async (name: QueueName) => {
    const dead = await create(`${name}-dead`);
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arnOf(`${name}-dead`), maxReceiveCount: QUEUE_LIMITS.most_receives });
    return { name, dead, url: await create(name, { RedrivePolicy }) };
  };
  const made = await Promise.all(QUEUES.map(createWithDead));
  const urls = Object.fromEntries(made.map(({ name, url }) => [name, url])) as Record<QueueName, string>;

  return {
    endpoint,
    region: REGION,
    credentials: key,
    urls,
    deadUrls: Object.fromEntries(made.map(({ name, dead }) => [name, dead])) as Record<QueueName, string>,
    poll: (queue, handler, options = {}) => {
      const poller = poll(client, { url: urls[queue], arn: arnOf(queue) }, handler, options, onError);
      pollers.push(poller);
      return poller;
    },
    close: async () => {
      await Promise.all(pollers.map((poller) => poller.stop()));
      client.destroy();
      await app.close();
    },
  };
};
