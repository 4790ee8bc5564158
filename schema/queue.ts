import * as z from 'zod';

/** The queues that carry the effects of committed transactions to their consumers. */
export const QueueName = z
  .enum(['subtasks', 'events'])
  .describe('subtasks: messages about work for workers, and of the tick; events: messages for clients that follow tasks and workers');
export type QueueName = z.infer<typeof QueueName>;
export const QUEUES = QueueName.options;

/** If a handler fails at this receive, it moves the message to the dead letters, with the reason. */
const LAST_RECEIVE = 4;

export const QUEUE_LIMITS = {
  /** Limits of SQS: the maximum number of messages, and of bytes, in one request. */
  batch: 10,
  batch_bytes: 1_048_576,
  longest_delay_seconds: 900,
  last_receive: LAST_RECEIVE,
  /** After this many receives, SQS itself moves a message, without a reason: only for messages that crash their handler. */
  most_receives: LAST_RECEIVE + 1,
  /** The visibility timeout, as a multiple of the handler's time limit: an earlier redelivery would use up a receive for nothing. */
  visibility_per_timeout: 6,
} as const;
