import { createMemoryRedis } from '../local/redis/memory.ts';
import { findRedisServer } from '../local/redis/find.ts';
import { startRedisServer } from '../local/redis/server.ts';
import { startUpstash } from '../local/redis/upstash.ts';
import { startThrowawayPostgres } from '../local/postgres/throwaway.ts';

export type Services = {
  databaseUrl: string;
  redis: { url: string; token: string; counted(): { requests: number; commands: number } };
  stop(): Promise<void>;
};

/** A Redis over HTTP, as Lambdas use it: a real Redis if this machine has one. */
const startRedis = async (folder: string) => {
  const program = findRedisServer();
  const server = program === null ? null : await startRedisServer({ program, folder });
  const requester = server?.requester ?? createMemoryRedis();
  const { url, token, counted, close } = await startUpstash(requester);
  return {
    at: { url, token, counted },
    stop: async () => {
      await close();
      await (server ?? requester).close();
    },
  };
};

/** Starts what the stack needs and does not create: a PostgreSQL and a Redis, until this process ends. */
export const startServices = async (folder: string): Promise<Services> => {
  const postgres = await startThrowawayPostgres('test');
  try {
    const redis = await startRedis(folder);
    return {
      databaseUrl: postgres.url,
      redis: redis.at,
      stop: async () => {
        await redis.stop();
        await postgres.stop();
      },
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
};
