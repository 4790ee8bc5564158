import type { SQSEvent } from 'aws-lambda';
import type { QueueName } from '../../../schema/queue.ts';
import type { Queues } from '../../../functions/domain/ports/queues.ts';
import { createQueues } from '../../../functions/platform/queues.ts';
import { createAwsKey } from '../../../local/aws-key.ts';
import type { Handler } from '../../../local/lambda.ts';
import { startQueues } from '../../../local/queues.ts';

export type Handlers = Record<QueueName, Handler<SQSEvent>>;

const NAMES = ['subtasks', 'events'] as const;
/** The time after which SQS delivers a message again when its handler failed or was killed. */
const VISIBILITY_SECONDS = 1;

const startSqs = async () => {
  const server = await startQueues({ key: createAwsKey(), onError: () => {} });
  const client = createQueues({ ...server, log: () => {} });
  const stop = async () => {
    await server.close();
    client.destroy();
  };
  return { server, client, stop };
};

/** SQS in this process. `stop` discards all messages, and connections are refused until `start` starts it again. */
export const startBroker = async () => {
  let running = await startSqs();
  let handlers: Handlers | null = null;
  const poll = () => {
    for (const name of handlers ? NAMES : [])
      running.server.poll(name, (handlers as Handlers)[name], { visibilitySeconds: VISIBILITY_SECONDS });
  };
  const queues: Queues = {
    send: (...args) => running.client.send(...args),
    bury: (...args) => running.client.bury(...args),
    listDead: (...args) => running.client.listDead(...args),
    redrive: (...args) => running.client.redrive(...args),
  };
  return {
    queues,
    deliverTo: (given: Handlers) => {
      handlers = given;
      poll();
    },
    stop: () => running.stop(),
    start: async () => {
      running = await startSqs();
      poll();
    },
  };
};
