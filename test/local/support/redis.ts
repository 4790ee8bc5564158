import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisAt } from '../../../functions/platform/redis.ts';
import { findRedisServer } from '../../../local/redis/find.ts';
import { createMemoryRedis } from '../../../local/redis/memory.ts';
import type { LinkedRequester } from '../../../local/redis/requester.ts';
import { startRedisServer } from '../../../local/redis/server.ts';
import { until } from '../../support/processes.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';
import { startUpstash } from '../../../local/redis/upstash.ts';

/** The program of a real Redis on this machine; if null, its tests are skipped. */
export const PROGRAM = findRedisServer();

export const throwawayFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'maw-redis-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
};

/** Its own real Redis, which leaves nothing behind. */
export const startRealRedis = async (patienceMs = PATIENCE_MS) => {
  const { folder, remove } = throwawayFolder();
  const server = await startRedisServer({ program: PROGRAM ?? '', folder, patienceMs });
  return {
    ...server,
    close: async () => {
      await server.close();
      await remove();
    },
  };
};

export type Backend = {
  at: RedisAt;
  /** A direct connection to the Redis. */
  requester: LinkedRequester;
  /** Lets this much time pass for the keys: at once if the clock is fake, else until `check` holds. */
  pass(ms: number, check: () => Promise<boolean>): Promise<void>;
  close(): Promise<void>;
};

const openMemory = async (): Promise<Backend> => {
  let now = 1_000_000;
  const requester = createMemoryRedis(() => now);
  return {
    at: { requester },
    requester,
    pass: async (ms) => {
      now += ms;
    },
    close: () => requester.close(),
  };
};

const openReal = async (): Promise<Backend> => {
  const { requester, close } = await startRealRedis();
  return {
    at: { requester },
    requester,
    pass: async (_ms, check) => {
      await until('time to pass in Redis', check, 15_000);
    },
    close,
  };
};

const openHttp = async (): Promise<Backend> => {
  const memory = await openMemory();
  const { url, token, close } = await startUpstash(memory.requester);
  return { ...memory, at: { url, token }, close };
};

/** The backends that one suite runs against, each with a name and whether it can run here. */
export const BACKENDS: [name: string, isHere: boolean, open: () => Promise<Backend>][] = [
  ['in memory', true, openMemory],
  ['in memory behind HTTP', true, openHttp],
  ['a real Redis', PROGRAM !== null, openReal],
];
