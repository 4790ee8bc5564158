import type { RedisAt } from '../functions/platform/redis.ts';
import { createMemoryRedis } from './redis/memory.ts';
import { findRedisServer } from './redis/find.ts';
import { startRedisServer } from './redis/server.ts';
import { type ConnectOptions, connectRedis } from './redis/tcp.ts';
import { faultOf, versionOf } from './redis/version.ts';
import { readStandaloneEnv } from './standalone-env.ts';

export type LocalRedis = {
  kind: 'upstash' | 'url' | 'server' | 'memory';
  /** How the backend's client connects. */
  at: RedisAt;
  /** A description for people, without credentials. */
  describe: string;
  close(): Promise<void>;
};
export type RedisOptions = {
  env: Record<string, string | undefined>;
  folder: string;
  say: (line: string) => void;
} & ConnectOptions;

/**
 * Opens the Redis that the environment names, else a server installed on this machine, else one in memory; prints which. A named Redis
 * that does not answer is accepted: the platform works without it.
 */
export const openRedis = async (options: RedisOptions): Promise<LocalRedis> => {
  const opened = openUpstash(options.env) ?? (await openUrl(options)) ?? (await openServer(options)) ?? openMemory(options);
  options.say(opened.describe);
  return opened;
};

const openUpstash = (env: RedisOptions['env']): LocalRedis | null => {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = env;
  if (!url && !token) return null;
  if (!url || !token) throw new Error('UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN belong together: set both, or neither');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new Error('UPSTASH_REDIS_REST_URL must be an address such as https://name.upstash.io');
  const describe = `using the Redis at ${new URL(url).host} (UPSTASH_REDIS_REST_URL)`;
  return { kind: 'upstash', at: { url, token }, describe, close: async () => {} };
};

const openUrl = async ({ env, onCut, patienceMs }: RedisOptions): Promise<LocalRedis | null> => {
  const { REDIS_URL: url } = readStandaloneEnv({ REDIS_URL: env.REDIS_URL });
  if (url === undefined) return null;
  const requester = await connectRedis(url, { onCut, patienceMs });
  const close = () => requester.close();
  const version = await versionOf(requester).catch((error: Error) => error);
  const fault = version instanceof Error ? null : faultOf(version);
  if (fault !== null) {
    await close();
    throw new Error(`The Redis at REDIS_URL cannot be used: ${fault}`);
  }
  const silence = version instanceof Error ? `, which does not answer: ${version.message}` : '';
  return { kind: 'url', at: { requester }, describe: `using the Redis at ${new URL(url).host} (REDIS_URL)${silence}`, close };
};

const openServer = async ({ env, ...options }: RedisOptions): Promise<LocalRedis | null> => {
  const program = findRedisServer(env.PATH);
  if (program === null) return null;
  const { say } = options;
  try {
    const server = await startRedisServer({ program, ...options });
    const version = await versionOf(server.requester).catch(async (error: Error) => {
      await server.close();
      throw error;
    });
    const opened = { at: { requester: server.requester }, describe: `started ${program} ${version}`, close: server.close };
    const fault = faultOf(version);
    if (fault === null) return { kind: 'server', ...opened };
    await server.close();
    say(`${program} cannot be used: ${fault}`);
  } catch (error) {
    say((error as Error).message);
  }
  return null;
};

const openMemory = ({ env }: RedisOptions): LocalRedis => {
  const requester = createMemoryRedis();
  const why = findRedisServer(env.PATH) === null ? ': there is no REDIS_URL, and no redis-server or valkey-server on the PATH' : '';
  return { kind: 'memory', at: { requester }, describe: `using a Redis in memory${why}`, close: () => requester.close() };
};
