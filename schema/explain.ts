import * as z from 'zod';
import { Id } from './common.ts';
import { SubtaskStatus } from './states.ts';

/** Why a worker may not take a subtask: one code for each hard rule. */
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

/** What a subtask waits for: one code for each wait. */
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
        subtask_ids: z.array(Id).optional().describe('For dependencies: the parents that have not completed, at most 50'),
      }),
    ),
    ahead: z
      .int()
      .nullable()
      .describe('Ready subtasks that go first at a worker which may take it, counted up to 1,000; null when it is not ready'),
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
