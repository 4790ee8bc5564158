import { afterAll } from 'vitest';
import { createMemoryRedis } from '../../local/redis/memory.ts';
import type { LinkedRequester } from '../../local/redis/requester.ts';
import { connectRedis } from '../../local/redis/tcp.ts';
import { PROGRAM, startRealRedis } from '../local/support/redis.ts';
import { PATIENCE_MS, REDIS } from './redis-kind.ts';

/** Those that a Redis has when nothing else is said. */
const DATABASES = 16;

let server: ReturnType<typeof startRealRedis> | null = null;
let opened = 0;
afterAll(async () => (await server)?.close());

/** An empty database of a real Redis that the test file has for itself. */
export const realRedisUrl = async (): Promise<string> => {
  if (PROGRAM === null) throw new Error('TEST_REDIS=server needs a redis-server or valkey-server on the PATH');
  server ??= startRealRedis();
  const url = `${(await server).url}/${opened++ % DATABASES}`;
  const requester = await connectRedis(url, { patienceMs: PATIENCE_MS });
  await requester.request({ body: ['flushdb'] });
  await requester.close();
  return url;
};

/** Connects with the first request. */
const lazyRequester = (): LinkedRequester => {
  let connecting: Promise<LinkedRequester> | null = null;
  const connected = () => (connecting ??= realRedisUrl().then((url) => connectRedis(url, { patienceMs: PATIENCE_MS })));
  return {
    request: async (it) => (await connected()).request(it),
    subscribe: async (...args) => (await connected()).subscribe(...args),
    close: async () => (await connecting)?.close(),
  };
};

/** Straight to an empty Redis, in memory or a real one. */
export const openTestRedis = (): LinkedRequester => (REDIS === 'server' ? lazyRequester() : createMemoryRedis());
