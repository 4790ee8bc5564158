import { afterAll } from 'vitest';
import { createMemoryRedis } from '../../local/redis/memory.ts';
import type { LinkedRequester } from '../../local/redis/requester.ts';
import { connectRedis } from '../../local/redis/tcp.ts';
import { PROGRAM, startRealRedis } from '../local/support/redis.ts';
import { PATIENCE_MS, REDIS } from './redis-kind.ts';

/** The default number of databases of a Redis server. */
const DATABASES = 16;

let server: ReturnType<typeof startRealRedis> | null = null;
let opened = 0;
afterAll(async () => (await server)?.close());

/** The URL of an empty database in a real Redis server, which only this test file uses. */
export const realRedisUrl = async (): Promise<string> => {
  if (PROGRAM === null) throw new Error('TEST_REDIS=server needs a redis-server or valkey-server on the PATH');
  server ??= startRealRedis();
  const url = `${(await server).url}/${opened++ % DATABASES}`;
  const requester = await connectRedis(url, { patienceMs: PATIENCE_MS });
  await requester.request({ body: ['flushdb'] });
  await requester.close();
  return url;
};

/** Connects on the first request. */
const lazyRequester = (): LinkedRequester => {
  let connecting: Promise<LinkedRequester> | null = null;
  const connected = () => (connecting ??= realRedisUrl().then((url) => connectRedis(url, { patienceMs: PATIENCE_MS })));
  return {
    request: async (it) => (await connected()).request(it),
    subscribe: async (...args) => (await connected()).subscribe(...args),
    close: async () => (await connecting)?.close(),
  };
};

/** A connection to an empty Redis, in memory or a real server. */
export const openTestRedis = (): LinkedRequester => (REDIS === 'server' ? lazyRequester() : createMemoryRedis());
