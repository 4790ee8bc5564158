import * as z from 'zod';
import { Id } from './common.ts';
import { Event } from './events.ts';
import { TaskStatus, WorkerMode, WorkerStatus } from './states.ts';

/** What a client can follow: the events of one task, all tasks, all workers, all checkpoints, or the messages to one worker. */
export const Topic = z.union(
  [z.templateLiteral(['task:', Id]), z.templateLiteral(['worker:', Id]), z.enum(['tasks', 'workers', 'checkpoints'])],
  'must be task:TASK_ID, worker:WORKER_ID, tasks, workers or checkpoints',
);
export type Topic = z.infer<typeof Topic>;

const MOST_TOPICS = 100;

export const LIVE_LIMITS = {
  /** How long a ticket is valid: not long, because it is part of a URL. */
  ticket_seconds: 30,
  /** Limits of API Gateway: the maximum seconds that a socket stays open and idle, and the maximum bytes of a message and of a frame. */
  life_seconds: 7_200,
  silence_seconds: 600,
  message_bytes: 131_072,
  frame_bytes: 32_768,
  /** The maximum that the server pushes in one message: it fits into one frame, which is also the unit that API Gateway bills. */
  push_bytes: 32_000,
} as const;

/** A message from a client; `action` is the route key of API Gateway. */
export const ClientFrame = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('subscribe'),
    topic: Topic,
    after_seq: z.int().min(0).optional().describe('Only for a task: first send the events after this sequence number'),
  }),
  z.strictObject({ action: z.literal('unsubscribe'), topic: Topic }),
  z.strictObject({
    action: z.literal('ping'),
    topics: z
      .array(Topic)
      .max(MOST_TOPICS)
      .default([])
      .describe('The topics that the client is subscribed to; lost subscriptions are restored'),
  }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

/** A short form of a task or worker, for lists. */
export const TaskNote = z.object({ task_id: Id, status: TaskStatus, progress: z.int(), version: z.int() });
export const WorkerNote = z.object({ worker_id: Id, status: WorkerStatus, mode: WorkerMode });

/** A message from the server. Events of a task may arrive twice or out of order; their sequence numbers give the order. */
export const ServerFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('subscribed'),
    topic: Topic,
    last_seq: z
      .int()
      .nullable()
      .describe('For a task followed with after_seq: the events up to this sequence number were sent before this message; otherwise null'),
  }),
  z.object({ type: z.literal('unsubscribed'), topic: Topic }),
  z.object({ type: z.literal('events'), topic: Topic, events: z.array(Event) }),
  z.object({
    type: z.literal('resync'),
    topic: Topic,
    after_seq: z.int().describe('Read the events after this sequence number by HTTP: they are too many or too large to be pushed'),
  }),
  z.object({ type: z.literal('task'), topic: z.literal('tasks'), task: TaskNote }),
  z.object({ type: z.literal('worker'), topic: z.literal('workers'), worker: WorkerNote }),
  z.object({ type: z.literal('doorbell'), topic: Topic }),
  z.object({ type: z.literal('directive'), topic: Topic, directive: z.literal('cancel'), subtask_id: Id, attempt: z.int() }),
  z.object({ type: z.literal('pong') }),
  z.object({ type: z.literal('error'), code: z.string(), detail: z.string() }),
]);
export type ServerFrame = z.infer<typeof ServerFrame>;
