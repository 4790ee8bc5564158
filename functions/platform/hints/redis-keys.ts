import { LIVE_LIMITS } from '../../../schema/live.ts';
import type { CacheKind } from '../../domain/ports/hints.ts';

/** The keys in Redis, listed in docs/redis.md. */
export const keys = {
  status: (workerId: string) => `workers:${workerId}:status`,
  info: (workerId: string) => `workers:${workerId}:info`,
  /** The organizations that have workers online. */
  present: 'workers:organizations',
  cacheRate: (kind: CacheKind) => `metrics:cache:${kind}`,
  online: (organizationId: string) => `workers:online:${organizationId}`,
  pending: (organizationId: string, tool: string) => `task_queue:pending:${organizationId}:${tool}`,
  inProgress: (organizationId: string) => `task_queue:in_progress:${organizationId}`,
  /** Every tool that has had a ready subtask. */
  tools: (organizationId: string) => `task_queue:tools:${organizationId}`,
  /** Set once the queues are reconciled; a flush removes it together with them. */
  whole: (organizationId: string) => `task_queue:whole:${organizationId}`,
  task: (taskId: string) => `task:${taskId}`,
  /** The highest event number of a task that any writer has recorded. */
  seen: (taskId: string) => `task:${taskId}:seen`,
  generation: 'work:generation',
  idle: 'work:idle',
  lock: (name: string) => `lock:${name}`,
  ticket: (hash: string) => `ws:ticket:${hash}`,
  connection: (connectionId: string) => `ws:connection:${connectionId}`,
  topic: (organizationId: string, topic: string) => `ws:topic:${organizationId}:${topic}`,
};
export const CHANNELS = { task: 'events:task_update', worker: 'events:worker_update', complete: 'events:subtask_complete' } as const;

export const TASK_SECONDS = 3_600;
/** The keys of a socket expire 10 minutes after the latest time at which it can still be open. */
export const SOCKET_SECONDS = LIVE_LIMITS.life_seconds + 600;

const TURNS = 2 ** 49;
/** The rank of a subtask as a score: higher priority first, then earlier turn. Exact, because it stays below 2^53. */
export const rank = ({ priority, turn }: { priority: number; turn: number }): number => (9 - priority) * TURNS + turn;
