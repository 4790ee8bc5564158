import type { CacheKind } from '../../domain/ports/hints.ts';
import { hint, type RedisClient } from '../redis.ts';
import { keys } from './redis-keys.ts';

export type Pipeline = ReturnType<RedisClient['pipeline']>;
/** Sends commands in one round trip; null if Redis is unavailable. */
export type SendCommands = (fill: (pipeline: Pipeline) => void) => Promise<unknown[] | null>;
export type CountRead = (kind: CacheKind, isHit: boolean) => void;

/** Cache reads are counted in memory and sent with the next commands, so that counting costs no round trip. */
export const createSendCommands = (redis: RedisClient): { send: SendCommands; count: CountRead } => {
  let counted: { kind: CacheKind; field: 'hits' | 'misses' }[] = [];
  const send: SendCommands = async (fill) => {
    const pipeline = redis.pipeline();
    fill(pipeline);
    const commands = pipeline.length();
    if (commands === 0) return [];
    for (const [key, those] of Map.groupBy(counted, ({ kind, field }) => `${kind}:${field}`)) {
      const [kind, field] = key.split(':') as [CacheKind, string];
      pipeline.hincrby(keys.cacheRate(kind), field, those.length);
    }
    counted = [];
    const answers = await hint(pipeline.exec<unknown[]>(), null);
    return answers?.slice(0, commands) ?? null;
  };
  return { send, count: (kind, isHit) => void (counted.length < 1_000 && counted.push({ kind, field: isHit ? 'hits' : 'misses' })) };
};
