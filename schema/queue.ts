import * as z from 'zod';

/** The queues between what commits and what follows from it. */
export const QueueName = z.enum(['subtasks', 'events']).describe('subtasks: to workers; events: to those who watch');
export type QueueName = z.infer<typeof QueueName>;
export const QUEUES = QueueName.options;

/** A handler that still fails at this receive moves its message to the dead letters, with the reason. */
const LAST_RECEIVE = 4;

export const QUEUE_LIMITS = {
  /** Of SQS: the most messages, and the most bytes, of one request. */
  batch: 10,
  batch_bytes: 1_048_576,
  longest_delay_seconds: 900,
  last_receive: LAST_RECEIVE,
  /** Then SQS moves a message by itself, without a reason: only for messages that a handler does not survive. */
  most_receives: LAST_RECEIVE + 1,
  /** How long a message is hidden, as a multiple of the handler's time limit: what comes back too early would be received in vain. */
  visibility_per_timeout: 6,
} as const;
