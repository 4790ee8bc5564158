import { onTestFinished } from 'vitest';
import type { QueueMessage, QueueName, Queues } from '../../../../functions/domain/queues.ts';
import { createQueues } from '../../../../functions/platform/queues.ts';
import { createRedis } from '../../../../functions/platform/redis.ts';
import { consume } from '../../../../functions/queue/consume.ts';
import { createAwsKey } from '../../../../local/aws-key.ts';
import { startQueues } from '../../../../local/queues.ts';
import type { Parts } from '../../../../functions/platform/context.ts';
import { backendForTest } from '../../../support/backend.ts';
import { openTestRedis } from '../../../support/redis.ts';

/** A Redis that can be away, and that lets its requests be counted. */
export const breakableRedis = () => {
  const requester = openTestRedis();
  onTestFinished(() => requester.close());
  let isAway = false;
  const redis = createRedis(
    { requester: { request: (it) => (isAway ? Promise.reject(new Error('away')) : requester.request(it)) } },
    { failures: Number.MAX_SAFE_INTEGER },
  );
  return { redis, requester, setAway: (away: boolean) => void (isAway = away) };
};

/** Sockets as a gateway would hold them: what was posted to each. */
export const fakePush = () => {
  const posted = new Map<string, unknown[]>();
  const closed = new Set<string>();
  return {
    posted,
    closed,
    push: {
      post: async (id: string, data: string) => {
        if (closed.has(id)) return 'gone' as const;
        posted.set(id, [...(posted.get(id) ?? []), JSON.parse(data)]);
        return 'sent' as const;
      },
      close: async (id: string) => void closed.add(id),
    },
  };
};

/** A backend whose queues are a real SQS in this process; `hold` keeps what is sent from it. */
export const backendWithQueues = async (parts: Parts = {}) => {
  const key = createAwsKey();
  const sqs = await startQueues({ key, onError: (error) => backend.logged.push({ event: 'poll.failed', fields: { error } }) });
  const client = createQueues({ ...sqs, log: () => {} });
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
  for (const queue of ['subtasks', 'events'] as const) sqs.poll(queue, consume(backend.ctx, queue), { visibilitySeconds: 1 });
  onTestFinished(async () => {
    await sqs.close();
    client.destroy();
  });
  return { backend, client, sqs, held, hold: (on: boolean) => void (holds = on) };
};
