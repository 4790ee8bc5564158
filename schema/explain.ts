import * as z from 'zod';
import { Id } from './common.ts';
import { SubtaskStatus } from './states.ts';

/** Why a worker may not claim a subtask: one code per rule. */
export const Obstacle = z.enum([
  'tool_missing',
  'label_missing',
  'owner_not_allowed',
  'worker_paused',
  'worker_draining',
  'worker_offline',
  'no_free_slot',
]);
export type Obstacle = z.infer<typeof Obstacle>;

/** What a subtask is waiting for: one code per cause. */
export const Wait = z.enum([
  'dependencies',
  'retry_time',
  'task_paused',
  'no_worker_qualifies',
  'workers_busy',
  'turn',
  'in_progress',
  'review',
  'input',
  'checkpoint',
  'quota',
  'ended',
]);
export type Wait = z.infer<typeof Wait>;

export const Explanation = z
  .object({
    subtask_id: Id,
    status: SubtaskStatus,
    waits: z.array(
      z.object({
        code: Wait,
        message: z.string(),
        subtask_ids: z.array(Id).optional().describe('With the code dependencies: up to 50 parents that have not completed'),
      }),
    ),
    ahead: z
      .int()
      .nullable()
      .describe(
        'The number of ready subtasks that go first at a worker which may claim this one, counted up to 1,000; null if this one is not ready',
      ),
    workers: z.array(
      z.object({
        worker_id: Id,
        name: z.string(),
        may_claim: z.boolean(),
        obstacles: z.array(z.object({ code: Obstacle, message: z.string() })),
      }),
    ),
    workers_truncated: z.boolean(),
  })
  .meta({ id: 'Explanation' });
export type Explanation = z.infer<typeof Explanation>;
