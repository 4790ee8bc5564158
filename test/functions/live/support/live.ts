import { SQSClient } from '@aws-sdk/client-sqs';
import { expect, onTestFinished } from 'vitest';
import type { QueueName } from '../../../../schema/queue.ts';
import type { QueueMessage, Queues } from '../../../../functions/domain/ports/queues.ts';
import { createQueues } from '../../../../functions/platform/queues.ts';
import { createRedis } from '../../../../functions/platform/redis.ts';
import { consume } from '../../../../functions/queue/consume.ts';
import { createAwsKey } from '../../../../local/aws-key.ts';
import { startQueues } from '../../../../local/queues.ts';
import type { PollOptions } from '../../../../local/queues/poll.ts';
import type { Parts } from '../../../../functions/platform/context.ts';
import { countsOf } from '../../../local/support/queues.ts';
import { backendForTest } from '../../../support/backend.ts';
import { PATIENCE_MS } from '../../../support/redis-kind.ts';
import { openTestRedis } from '../../../support/redis.ts';

/** A Redis that can be made unavailable and whose requests can be counted. */
export const breakableRedis = () => {
  const requester = openTestRedis();
  onTestFinished(() => requester.close());
  let isUnavailable = false;
  const redis = createRedis(
    { requester: { request: (it) => (isUnavailable ? Promise.reject(new Error('unavailable')) : requester.request(it)) } },
    { failures: Number.MAX_SAFE_INTEGER, timeoutMs: PATIENCE_MS },
  );
  return { redis, requester, setUnavailable: (value: boolean) => void (isUnavailable = value) };
};

/** The sockets of a gateway, with the messages posted to each; `slow` ones do not read. */
export const fakePush = () => {
  const posted = new Map<string, unknown[]>();
  const closed = new Set<string>();
  const slow = new Set<string>();
  return {
    posted,
    closed,
    slow,
    push: {
      post: async (id: string, data: string) => {
        if (closed.has(id)) return 'gone' as const;
        if (slow.has(id)) return 'slow' as const;
        posted.set(id, [...(posted.get(id) ?? []), JSON.parse(data)]);
        return 'sent' as const;
      },
      close: async (id: string) => void closed.add(id),
    },
  };
};

/**
 * A backend whose queues are a real SQS in this process. `hold` keeps messages from being sent. `settle` waits until every message that
 * was sent is handled completely, because the effects of an outbox row follow after the row is deleted.
 */
export const backendWithQueues = async (parts: Parts = {}, options: PollOptions = {}) => {
  const key = createAwsKey();
  const sqs = await startQueues({ key, onError: (error) => backend.logged.push({ event: 'poll.failed', fields: { error } }) });
  const client = createQueues({ ...sqs, log: () => {}, timeoutMs: PATIENCE_MS });
  const held: [QueueName, readonly QueueMessage[]][] = [];
  let holds = false;
  const queues: Queues = {
    ...client,
    send: async (queue, messages) => {
      if (!holds) return client.send(queue, messages);
      held.push([queue, messages]);
      return [];
    },
  };
  const backend = await backendForTest({ queues, ...parts });
  for (const queue of ['subtasks', 'events'] as const) sqs.poll(queue, consume(backend.ctx, queue), options);
  const counter = new SQSClient({ endpoint: sqs.endpoint, region: sqs.region, credentials: key, useQueueUrlAsEndpoint: false });
  const onTheWay = async () => {
    const rows = await backend.ctx.sql`select from outbox`;
    const queued = await Promise.all(Object.values(sqs.urls).map((url) => countsOf(counter, url)));
    return queued.reduce((sum, { waiting, hidden }) => sum + waiting + hidden, rows.length);
  };
  onTestFinished(async () => {
    await sqs.close();
    client.destroy();
    counter.destroy();
  });
  return {
    backend,
    client,
    sqs,
    held,
    hold: (on: boolean) => void (holds = on),
    settle: () => expect.poll(onTheWay, { timeout: PATIENCE_MS }).toBe(0),
  };
};
