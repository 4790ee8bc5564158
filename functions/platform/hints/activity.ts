import { randomUUID } from 'node:crypto';
import type { Hints } from '../../domain/ports/hints.ts';
import { hashOf } from '../redis.ts';
import { keys } from './redis-keys.ts';
import type { Tell } from './tell.ts';

/** Should everything that tells of something new have been away at once, somebody looks after this time. */
const IDLE_SECONDS = 6 * 3_600;
const KINDS = ['task', 'worker'] as const;

/** The time that it was made, and something that no other has; older ones never come back. */
export const newGeneration = () => `${Date.now()}-${randomUUID()}`;

export const createActivityHints = (tell: Tell): Pick<Hints, 'bump' | 'activity' | 'markIdle' | 'isFirst' | 'ping' | 'rates'> => ({
  bump: async () => (await tell((pipeline) => pipeline.set(keys.generation, newGeneration()))) !== null,
  activity: async () => {
    const told = await tell((pipeline) => {
      pipeline.get(keys.generation);
      pipeline.get(keys.idle);
    });
    if (told === null) return null;
    const [generation, idle] = told as (string | null)[];
    return { generation: generation ?? null, age_ms: Date.now() - Number(generation?.split('-')[0] ?? 0), idle: idle ?? null };
  },
  markIdle: async (generation) => (await tell((pipeline) => pipeline.set(keys.idle, generation, { ex: IDLE_SECONDS }))) !== null,
  isFirst: async (name, seconds) => {
    const told = await tell((pipeline) => pipeline.set(keys.lock(name), '1', { nx: true, ex: seconds }));
    return told === null || told[0] === 'OK';
  },
  rates: async () => {
    const told = await tell((pipeline) => {
      for (const kind of KINDS) pipeline.hgetall(keys.cacheRate(kind));
    });
    if (told === null) return null;
    const rate = (answer: unknown) => {
      const { hits = 0, misses = 0 } = hashOf(answer ?? []) ?? {};
      return { hits: Number(hits), misses: Number(misses) };
    };
    return { task: rate(told[0]), worker: rate(told[1]) };
  },
  ping: async () => (await tell((pipeline) => pipeline.ping())) !== null,
});
