import { LIVE_LIMITS } from '../../../schema/live.ts';
import type { CacheKind } from '../../domain/ports/hints.ts';

/** The keys of Redis, as docs/redis.md lists them. */
export const keys = {
  status: (workerId: string) => `workers:${workerId}:status`,
  info: (workerId: string) => `workers:${workerId}:info`,
  /** The organizations that have workers online. */
  present: 'workers:organizations',
  cacheRate: (kind: CacheKind) => `metrics:cache:${kind}`,
  online: (organizationId: string) => `workers:online:${organizationId}`,
  pending: (organizationId: string, tool: string) => `task_queue:pending:${organizationId}:${tool}`,
  inProgress: (organizationId: string) => `task_queue:in_progress:${organizationId}`,
  /** The tools that ever had something ready. */
  tools: (organizationId: string) => `task_queue:tools:${organizationId}`,
  /** Set when the queues were reconciled; a flush takes it with them. */
  whole: (organizationId: string) => `task_queue:whole:${organizationId}`,
  task: (taskId: string) => `task:${taskId}`,
  /** The number of a task's newest event that anybody has noted. */
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
/** What is left of a socket goes 10 minutes after the last moment at which it can be open. */
export const SOCKET_SECONDS = LIVE_LIMITS.life_seconds + 600;

const TURNS = 2 ** 49;
/** The rank of a subtask as a score, exact below 2^53: the higher priority first, then the earlier turn. */
export const rank = ({ priority, turn }: { priority: number; turn: number }): number => (9 - priority) * TURNS + turn;
