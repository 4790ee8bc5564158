import type { CacheKind } from '../../domain/ports/hints.ts';
import { hint, type RedisClient } from '../redis.ts';
import { keys } from './redis-keys.ts';

export type Pipeline = ReturnType<RedisClient['pipeline']>;
/** Sends commands in one round trip; null when Redis can't be asked. */
export type Tell = (fill: (pipeline: Pipeline) => void) => Promise<unknown[] | null>;
export type CountRead = (kind: CacheKind, isHit: boolean) => void;

/** What was counted goes along with the next commands, so that it costs no round trip. */
export const createTell = (redis: RedisClient): { tell: Tell; count: CountRead } => {
  let counted: { kind: CacheKind; field: 'hits' | 'misses' }[] = [];
  const tell: Tell = async (fill) => {
    const pipeline = redis.pipeline();
    fill(pipeline);
    const asked = pipeline.length();
    if (asked === 0) return [];
    for (const [key, those] of Map.groupBy(counted, ({ kind, field }) => `${kind}:${field}`)) {
      const [kind, field] = key.split(':') as [CacheKind, string];
      pipeline.hincrby(keys.cacheRate(kind), field, those.length);
    }
    counted = [];
    const answers = await hint(pipeline.exec<unknown[]>(), null);
    return answers?.slice(0, asked) ?? null;
  };
  return { tell, count: (kind, isHit) => void (counted.length < 1_000 && counted.push({ kind, field: isHit ? 'hits' : 'misses' })) };
};
