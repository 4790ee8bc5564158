import type { QueueName } from '../../../schema/queue.ts';
import type { QueueMessage, Queues } from '../../../functions/domain/ports/queues.ts';
import type { Random } from '../../support/random.ts';

/** Delays and doubles messages: each waits twice until `release` sends one of the waiting messages at random, or `releaseAll` sends all. */
export const createDoubler = (random: Random) => {
  const waiting: [QueueName, QueueMessage][] = [];
  let send: Queues['send'] | null = null;
  const release = async () => {
    const [next] = waiting.splice(Math.floor(random() * waiting.length), 1);
    if (next !== undefined) await send?.(next[0], [next[1]]);
  };
  return {
    send: (next: Queues['send']): Queues['send'] => {
      send = next;
      return async (queue, messages) => {
        for (const message of messages) waiting.push([queue, message], [queue, message]);
        return [];
      };
    },
    release,
    releaseAll: async () => {
      while (waiting.length > 0) await release();
    },
  };
};
