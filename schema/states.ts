import * as z from 'zod';

/*
 * task      pending ─► running ─► completed | failed | cancelled        ended ─► running (retry: run + 1)
 * subtask   blocked ─► ready ─► claimed ─► running ─► completed | failed | cancelled | skipped
 *                        ▲          └──────────┴─ released, lease lost, retry with backoff
 * attempt   claimed ─► running ─► succeeded | failed | timed_out | lost | cancelled | released
 */

export const TaskStatus = z.enum(['pending', 'planning', 'running', 'awaiting_checkpoint', 'completed', 'failed', 'cancelled']);
export type TaskStatus = z.infer<typeof TaskStatus>;

export const SubtaskStatus = z.enum([
  'blocked',
  'ready',
  'claimed',
  'running',
  'in_review',
  'awaiting_input',
  'awaiting_checkpoint',
  'waiting_quota',
  'completed',
  'failed',
  'cancelled',
  'skipped',
]);
export type SubtaskStatus = z.infer<typeof SubtaskStatus>;

export const AttemptStatus = z.enum(['claimed', 'running', 'succeeded', 'failed', 'timed_out', 'lost', 'cancelled', 'released']);
export type AttemptStatus = z.infer<typeof AttemptStatus>;

export const WorkerStatus = z.enum(['online', 'busy', 'offline']);
export type WorkerStatus = z.infer<typeof WorkerStatus>;
export const WorkerMode = z.enum(['active', 'draining', 'paused']);
export type WorkerMode = z.infer<typeof WorkerMode>;

export const TASK_ENDS = ['completed', 'failed', 'cancelled'] as const satisfies readonly TaskStatus[];
export const SUBTASK_ENDS = ['completed', 'failed', 'cancelled', 'skipped'] as const satisfies readonly SubtaskStatus[];

export type Edge<S extends string> = {
  from: S;
  to: S;
  cause: string;
  /** The event that records the change; null if none is written (a claim does not lock the task row, so it cannot number an event). */
  event: string | null;
  /** The resulting status of the open attempt; null if there is none. */
  attempt: AttemptStatus | null;
};

const edges = <S extends string>(
  from: readonly S[],
  to: S,
  cause: string,
  event: string | null,
  attempt: AttemptStatus | null = null,
): Edge<S>[] => from.map((state) => ({ from: state, to, cause, event, attempt }));

/** Every allowed change of a subtask's status. Tests check each update in SQL against this table. */
export const SUBTASK_EDGES: readonly Edge<SubtaskStatus>[] = [
  ...edges(['blocked'], 'ready', 'all parents completed', 'subtask.ready'),
  ...edges(['ready'], 'claimed', 'a worker claimed it', null, 'claimed'),
  ...edges(['ready'], 'running', 'a worker claimed and started it', 'subtask.started', 'running'),
  ...edges(['claimed'], 'running', 'its worker started it', 'subtask.started', 'running'),
  ...edges(['running'], 'completed', 'its worker completed it', 'subtask.completed', 'succeeded'),
  ...edges(['claimed', 'running'], 'ready', 'the attempt failed and is retried', 'subtask.retried', 'failed'),
  ...edges(['running'], 'ready', 'the attempt timed out and is retried', 'subtask.retried', 'timed_out'),
  ...edges(
    ['claimed', 'running'],
    'ready',
    'the lease expired, it was not started within 5 minutes, or its worker was removed',
    'subtask.lease_lost',
    'lost',
  ),
  ...edges(['claimed', 'running'], 'ready', 'its worker released it', 'subtask.released', 'released'),
  ...edges(['claimed', 'running'], 'failed', 'the attempt failed and is not retried', 'subtask.failed', 'failed'),
  ...edges(['running'], 'failed', 'the attempt timed out and is not retried', 'subtask.failed', 'timed_out'),
  ...edges(['claimed', 'running'], 'failed', 'too many attempts were lost', 'subtask.failed', 'lost'),
  ...edges(['claimed', 'running'], 'failed', 'too many attempts were released', 'subtask.failed', 'released'),
  ...edges(['blocked', 'ready'], 'cancelled', 'the task was cancelled or failed', 'subtask.cancelled'),
  ...edges(['claimed', 'running'], 'cancelled', 'the task was cancelled or failed', 'subtask.cancelled', 'cancelled'),
  ...edges(['blocked'], 'skipped', 'a parent failed, and the task continues', 'subtask.skipped'),
  ...edges(['failed', 'cancelled', 'skipped'], 'ready', 'the task was retried', 'task.retried'),
  ...edges(['failed', 'cancelled', 'skipped'], 'blocked', 'the task was retried', 'task.retried'),
];

export const TASK_EDGES: readonly Edge<TaskStatus>[] = [
  ...edges(['pending'], 'running', 'its first subtask started', 'task.started'),
  ...edges(['running'], 'completed', 'every subtask completed', 'task.completed'),
  ...edges(['pending', 'running'], 'failed', 'a subtask failed or the deadline passed', 'task.failed'),
  ...edges(['pending', 'running'], 'cancelled', 'a caller cancelled it', 'task.cancelled'),
  ...edges(['failed', 'cancelled'], 'running', 'a caller retried it', 'task.retried'),
];

export const ATTEMPT_EDGES: readonly { from: AttemptStatus; to: AttemptStatus }[] = [
  { from: 'claimed', to: 'running' },
  { from: 'running', to: 'succeeded' },
  ...(['failed', 'lost', 'cancelled', 'released'] as const).flatMap((to) => [
    { from: 'claimed' as const, to },
    { from: 'running' as const, to },
  ]),
  { from: 'running', to: 'timed_out' },
];
