import type { Hints } from '../domain/ports/hints.ts';
import type { Sockets } from '../domain/ports/sockets.ts';
import { createActivityHints } from './hints/activity.ts';
import { createChangeHints } from './hints/changes.ts';
import { createPresenceHints } from './hints/presence.ts';
import { createQueueHints } from './hints/queue.ts';
import { createSockets } from './sockets.ts';
import { createTaskHints } from './hints/task-cache.ts';
import { createTell } from './hints/tell.ts';
import type { RedisClient } from './redis.ts';

const nothing = { tell: async () => null, count: () => {} };

/** What Redis knows, or nothing where there is none. */
export const createHints = (redis: RedisClient | null): { hints: Hints; sockets: Sockets } => {
  const { tell, count } = redis === null ? nothing : createTell(redis);
  return {
    hints: {
      ...createQueueHints(tell),
      ...createPresenceHints(tell, count),
      ...createActivityHints(tell),
      ...createTaskHints(tell, count),
      ...createChangeHints(tell),
      isConfigured: redis !== null,
    },
    sockets: createSockets(tell),
  };
};
