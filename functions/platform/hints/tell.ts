import { hint, type RedisClient } from '../redis.ts';

export type Pipeline = ReturnType<RedisClient['pipeline']>;
/** Sends commands in one round trip; null when Redis can't be asked. */
export type Tell = (fill: (pipeline: Pipeline) => void) => Promise<unknown[] | null>;

export const createTell =
  (redis: RedisClient): Tell =>
  async (fill) => {
    const pipeline = redis.pipeline();
    fill(pipeline);
    if (pipeline.length() === 0) return [];
    return hint(pipeline.exec<unknown[]>(), null);
  };
