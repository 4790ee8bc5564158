import type { Hints } from '../domain/ports/hints.ts';
import type { Sockets } from '../domain/ports/sockets.ts';
import { createActivityHints } from './hints/activity.ts';
import { createChangeHints } from './hints/changes.ts';
import { createPresenceHints } from './hints/presence.ts';
import { createQueueHints } from './hints/queue.ts';
import { createSockets } from './sockets.ts';
import { createTaskHints } from './hints/task-cache.ts';
import { createSendCommands } from './hints/send-commands.ts';
import type { RedisClient } from './redis.ts';

const WITHOUT_REDIS = { send: async () => null, count: () => {} };

/** The hints from Redis; without Redis, every hint is unknown. */
export const createHints = (redis: RedisClient | null): { hints: Hints; sockets: Sockets } => {
  const { send, count } = redis === null ? WITHOUT_REDIS : createSendCommands(redis);
  return {
    hints: {
      ...createQueueHints(send),
      ...createPresenceHints(send, count),
      ...createActivityHints(send),
      ...createTaskHints(send, count),
      ...createChangeHints(send),
      isConfigured: redis !== null,
    },
    sockets: createSockets(send),
  };
};
