import * as z from 'zod';
import type { QueueName } from './queue.ts';

/** A message that is also a row of the outbox, which the consumer deletes. */
const row = <T extends string, P extends z.ZodType>(topic: T, payload: P) =>
  z.object({
    topic: z.literal(topic),
    outbox_id: z.int(),
    organization_id: z.uuid(),
    /** The request that caused it; null if the clock did. */
    request_id: z.string().nullable().default(null),
    payload,
  });
/** A message that is never stored. */
const signal = <T extends string>(topic: T) => z.object({ topic: z.literal(topic) });

const MOST_IDS = 1_000;

/** An effect of a transaction or of the clock, by topic. Outbox rows and queue messages have this form. */
export const Message = z.discriminatedUnion('topic', [
  /** Events of tasks: `[task_id, first seq, last seq]` each; `opens` is set if they open or reopen these tasks. */
  row('events', z.object({ ranges: z.array(z.tuple([z.uuid(), z.int(), z.int()])).max(MOST_IDS), opens: z.literal(true).optional() })),
  /** Subtasks whose place in the queue may have changed. */
  row('ready', z.object({ subtask_ids: z.array(z.uuid()).max(MOST_IDS) })),
  /** A worker was added, changed or removed. */
  row('worker', z.object({ worker_id: z.uuid() })),
  /** A file whose artifact was deleted. */
  row('blob.remove', z.object({ key: z.string() })),
  /** A lease or a time limit may have ended. */
  signal('overdue'),
  /** Redis may not know that there is new work. */
  signal('wake'),
]);
export type Message = z.infer<typeof Message>;
export type Topic = Message['topic'];
export type MessageOf<T extends Topic> = Extract<Message, { topic: T }>;

/** The part of a message that can be read even when the rest is wrong. */
export const MessageHead = z.object({ topic: z.string().nullable().catch(null), organization_id: z.unknown() });
export type MessageHead = z.infer<typeof MessageHead>;

/** The queue of each topic; null if the relay handles the message itself. */
export const QUEUE_OF = {
  events: 'events',
  worker: 'events',
  ready: 'subtasks',
  overdue: 'subtasks',
  wake: 'subtasks',
  'blob.remove': null,
} as const satisfies Record<Topic, QueueName | null>;

export const WAKE_DELAY_SECONDS = 10;
/** The delays of checks between two ticks, which run every minute. */
export const OVERDUE_DELAYS_SECONDS = [10, 20, 30, 40, 50] as const;
