import { randomUUID } from 'node:crypto';
import type { Hints } from '../../domain/ports/hints.ts';
import { hashOf } from '../redis.ts';
import { keys } from './redis-keys.ts';
import type { SendCommands } from './send-commands.ts';

/** Even if every signal of new work was lost, the tick queries Postgres again after this time. */
const IDLE_SECONDS = 6 * 3_600;
const KINDS = ['task', 'worker'] as const;

/** The current time and a random part: generations are unique and never repeat. */
export const newGeneration = () => `${Date.now()}-${randomUUID()}`;

export const createActivityHints = (send: SendCommands): Pick<Hints, 'bump' | 'activity' | 'markIdle' | 'isFirst' | 'ping' | 'rates'> => ({
  bump: async () => (await send((pipeline) => pipeline.set(keys.generation, newGeneration()))) !== null,
  activity: async () => {
    const replies = await send((pipeline) => {
      pipeline.get(keys.generation);
      pipeline.get(keys.idle);
    });
    if (replies === null) return null;
    const [generation, idle] = replies as (string | null)[];
    return { generation: generation ?? null, age_ms: Date.now() - Number(generation?.split('-')[0] ?? 0), idle: idle ?? null };
  },
  markIdle: async (generation) => (await send((pipeline) => pipeline.set(keys.idle, generation, { ex: IDLE_SECONDS }))) !== null,
  isFirst: async (name, seconds) => {
    const replies = await send((pipeline) => pipeline.set(keys.lock(name), '1', { nx: true, ex: seconds }));
    return replies === null || replies[0] === 'OK';
  },
  rates: async () => {
    const replies = await send((pipeline) => {
      for (const kind of KINDS) pipeline.hgetall(keys.cacheRate(kind));
    });
    if (replies === null) return null;
    const rate = (answer: unknown) => {
      const { hits = 0, misses = 0 } = hashOf(answer ?? []) ?? {};
      return { hits: Number(hits), misses: Number(misses) };
    };
    return { task: rate(replies[0]), worker: rate(replies[1]) };
  },
  ping: async () => (await send((pipeline) => pipeline.ping())) !== null,
});
