import type { Topic } from './live.ts';
import type { SubtaskStatus, TaskStatus } from './states.ts';

/**
 * Names that are reserved for later: nothing uses them yet. A test compares them with the statements, the state changes and
 * docs/database.md, so a name must be removed from this list when it comes into use.
 */
export const RESERVED = {
  tables: ['checkpoints', 'corrections', 'evaluations'],
  task_status: ['planning', 'awaiting_checkpoint'],
  subtask_status: ['in_review', 'awaiting_input', 'awaiting_checkpoint', 'waiting_quota'],
  subtask_kind: ['plan', 'review', 'vote', 'evaluate'],
  topics: ['checkpoints'],
} as const satisfies {
  tables: readonly string[];
  task_status: readonly TaskStatus[];
  subtask_status: readonly SubtaskStatus[];
  subtask_kind: readonly string[];
  topics: readonly Topic[];
};
