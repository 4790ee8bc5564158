import { Duration, type Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import { CONSUMER_SECONDS } from './functions.ts';
import { QUEUE_LIMITS, type QueueName } from '../schema/queue.ts';
import type { Settings } from './settings.ts';

export type { QueueName };
export type QueuePair = { queue: Queue; dead: Queue };
export type Queues = Record<QueueName, QueuePair>;

/** Lambdas at once for a queue, and connections to Postgres; the least is 2. */
const MOST_AT_ONCE = 10;

const createPair = (stack: Stack, id: string, props: QueueProps): QueuePair => {
  const dead = new Queue(stack, `${id}Dead`, { ...props, retentionPeriod: Duration.days(14) });
  const queue = new Queue(stack, id, {
    ...props,
    visibilityTimeout: Duration.seconds(QUEUE_LIMITS.visibility_per_timeout * CONSUMER_SECONDS),
    retentionPeriod: Duration.days(4),
    deadLetterQueue: { queue: dead, maxReceiveCount: QUEUE_LIMITS.most_receives },
  });
  return { queue, dead };
};

/** Emulators speak plain HTTP. */
export const createQueues = (stack: Stack, { emulator }: Settings): Queues => {
  const props = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: emulator === null };
  return { subtasks: createPair(stack, 'Subtasks', props), events: createPair(stack, 'Events', props) };
};

/** Calls a Lambda with the messages of a queue; those that it names come again, the others are done. */
export const consumeQueue = (consumer: LambdaFunction, { queue }: QueuePair) => {
  consumer.addEventSource(
    new SqsEventSource(queue, { batchSize: QUEUE_LIMITS.batch, maxConcurrency: MOST_AT_ONCE, reportBatchItemFailures: true }),
  );
};
