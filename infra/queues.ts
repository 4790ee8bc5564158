import { Duration, type Stack } from 'aws-cdk-lib';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import { addVariables } from './environment.ts';
import { allow } from './function.ts';
import { CONSUMER_SECONDS, type Functions } from './functions.ts';
import { QUEUE_LIMITS, type QueueName } from '../schema/queue.ts';
import type { Settings } from './settings.ts';

export type { QueueName };
export type QueuePair = { queue: Queue; dead: Queue };
export type Queues = Record<QueueName, QueuePair>;

/** Maximum concurrent Lambdas of a queue, and so of PostgreSQL connections; SQS requires at least 2. */
const MAX_CONCURRENCY = 10;

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

/** Emulators use plain HTTP. */
export const createQueues = (stack: Stack, { emulator }: Settings): Queues => {
  const props = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: emulator === null };
  return { subtasks: createPair(stack, 'Subtasks', props), events: createPair(stack, 'Events', props) };
};

/** Calls a Lambda with the messages of a queue. Messages that it reports as failed are delivered again; the others are deleted. */
export const consumeQueue = (consumer: LambdaFunction, { queue }: QueuePair) => {
  consumer.addEventSource(
    new SqsEventSource(queue, { batchSize: QUEUE_LIMITS.batch, maxConcurrency: MAX_CONCURRENCY, reportBatchItemFailures: true }),
  );
};

const addQueueUrls = (fn: LambdaFunction, { subtasks, events }: Queues) =>
  addVariables(fn, {
    SUBTASKS_QUEUE_URL: subtasks.queue.queueUrl,
    SUBTASKS_DEAD_QUEUE_URL: subtasks.dead.queueUrl,
    EVENTS_QUEUE_URL: events.queue.queueUrl,
    EVENTS_DEAD_QUEUE_URL: events.dead.queueUrl,
  });
const allowQueues = (fn: LambdaFunction, queues: readonly Queue[], actions: readonly string[]) =>
  allow(
    fn,
    actions.map((action) => `sqs:${action}`),
    ...queues.map(({ queueArn }) => queueArn),
  );

const grantSend = (fn: LambdaFunction, queues: Queues) => {
  addQueueUrls(fn, queues);
  allowQueues(fn, [queues.subtasks.queue, queues.events.queue], ['SendMessage']);
};
/** Stores messages that fail permanently, with the reason. */
const grantDeadLetters = (fn: LambdaFunction, queues: Queues, name: QueueName) => {
  addQueueUrls(fn, queues);
  allowQueues(fn, [queues[name].dead], ['SendMessage']);
};
/** Lets an operator list and redrive dead letters. */
const grantOperate = (fn: LambdaFunction, { subtasks, events }: Queues) => {
  allowQueues(fn, [subtasks.queue, events.queue], ['GetQueueAttributes']);
  allowQueues(
    fn,
    [subtasks.dead, events.dead],
    ['GetQueueAttributes', 'ReceiveMessage', 'ChangeMessageVisibility', 'DeleteMessage', 'StartMessageMoveTask'],
  );
};

/**
 * A Lambda that commits also sends the rows that it wrote to the outbox; the tick sends what remained, and dispatch ends what is
 * overdue. The permission to receive is granted by `consumeQueue`.
 */
export const grantQueues = (functions: Functions, queues: Queues) => {
  const { 'person-api': personApi, 'worker-api': workerApi, dispatch, broadcast, tick } = functions;
  for (const fn of [personApi, workerApi, dispatch, tick]) grantSend(fn, queues);
  grantDeadLetters(dispatch, queues, 'subtasks');
  grantDeadLetters(broadcast, queues, 'events');
  grantOperate(personApi, queues);
};
