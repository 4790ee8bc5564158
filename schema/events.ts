import * as z from 'zod';
import { Id, Timestamp } from './common.ts';
import { Json } from './json.ts';

/** The types of events, in the order of a task's life cycle. Each event is one numbered row in the activity log of a task. */
export const EVENT_TYPES = [
  'task.submitted',
  'task.extended',
  'task.started',
  'task.updated',
  'task.paused',
  'task.resumed',
  'task.completed',
  'task.failed',
  'task.cancelled',
  'task.retried',
  'subtask.ready',
  'subtask.started',
  'subtask.completed',
  'subtask.retried',
  'subtask.lease_lost',
  'subtask.released',
  'subtask.failed',
  'subtask.cancelled',
  'subtask.skipped',
  'artifact.stored',
] as const;
export const EventType = z.enum(EVENT_TYPES);
export type EventType = z.infer<typeof EventType>;

export const Event = z
  .object({
    seq: z.int().describe('The sequence number within the task: 1, 2, 3 … without gaps'),
    type: EventType,
    level: z.enum(['info', 'warning', 'error']),
    message: z.string(),
    task_id: Id,
    run: z.int(),
    subtask_id: Id.nullable(),
    attempt: z.int().nullable(),
    worker_id: Id.nullable(),
    data: Json,
    request_id: z
      .string()
      .nullable()
      .default(null)
      .describe('The id of the request that caused the event, as in its x-request-id header; null if no request did, as with timeouts'),
    created_at: Timestamp,
  })
  .meta({ id: 'Event' });
export type Event = z.infer<typeof Event>;
