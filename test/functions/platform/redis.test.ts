import { describe, expect, it, onTestFinished } from 'vitest';
import type { Log } from '../../../functions/domain/ports/log.ts';
import { createRedis, hint, RedisUnavailable, type RedisSettings, type Requester } from '../../../functions/platform/redis.ts';
import { createMemoryRedis } from '../../../local/redis/memory.ts';
import { startUpstash } from '../../../local/redis/upstash.ts';

type Answer = { result?: unknown; error?: string };

/** A client whose server gives these replies one after another, then repeats the last. */
const answering = (answers: (() => Promise<Answer>)[], settings: RedisSettings = {}) => {
  const logged: unknown[][] = [];
  const log: Log = (level, event, fields) => void logged.push([level, event, fields]);
  let asked = 0;
  const request = () => (answers[asked++] ?? answers.at(-1) ?? ok)();
  const redis = createRedis({ requester: { request: request as Requester['request'] } }, { log, ...settings });
  return { redis, logged, asked: () => asked };
};
const ok = async () => ({ result: 'fine' });
const cut = () => Promise.reject(new Error('connection lost'));
const never = () => new Promise<Answer>(() => {});
const refuse = async () => ({ error: 'WRONGTYPE Operation against a key' });

const failure = (asked: Promise<unknown>): Promise<Error> =>
  asked.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  );

describe('the Redis client', () => {
  it('repeats a request once if its connection broke, and counts both', async () => {
    const { redis } = answering([cut, ok]);

    expect(await redis.get('a')).toBe('fine');
    expect(redis.counted()).toEqual({ round_trips: 2, commands: 2 });
  });

  it('gives up after the second attempt, and gives the reason', async () => {
    const { redis, asked } = answering([cut]);

    const error = await failure(redis.get('a'));

    expect(error).toBeInstanceOf(RedisUnavailable);
    expect(error.message).toBe('Redis is out of reach: connection lost');
    expect((error.cause as Error).message).toBe('connection lost');
    expect(asked()).toBe(2);
  });

  it('gives up when no reply arrives in time, and does not repeat', async () => {
    const { redis, asked } = answering([never], { timeoutMs: 30 });

    expect((await failure(redis.get('a'))).message).toBe('Redis is out of reach: no answer within 30 ms');
    expect(asked()).toBe(1);
  });

  it('sends nothing for a while after three failures, then one request, and logs both changes', async () => {
    let now = 0;
    const { redis, asked, logged } = answering([cut, cut, cut, cut, cut, cut, ok], { now: () => now, restMs: 1_000 });
    for (let at = 0; at < 3; at++) await failure(redis.get('a'));

    expect((await failure(redis.get('a'))).message).toBe('Redis is out of reach: it failed a moment ago (connection lost)');
    expect(asked()).toBe(6);
    expect(redis.health()).toEqual({ state: 'open', failure: 'connection lost' });
    now += 1_000;
    expect(await redis.get('a')).toBe('fine');

    expect(redis.health()).toEqual({ state: 'closed', failure: null });
    expect(logged.map(([level, event]) => `${String(level)} ${String(event)}`)).toEqual(['warn redis.unavailable', 'info redis.available']);
  });

  it('treats a refused command as a reply: it is logged, not repeated, and does not count as a failure', async () => {
    const { redis, asked, logged } = answering([refuse]);
    for (let at = 0; at < 5; at++) expect((await failure(redis.get('a'))).name).toBe('UpstashError');

    expect(asked()).toBe(5);
    expect(redis.health().state).toBe('closed');
    expect(logged[0]).toEqual(['error', 'redis.refused', { command: 'get', reason: 'WRONGTYPE Operation against a key' }]);
  });

  it.each(['LOADING Redis is loading the dataset in memory', 'OOM command not allowed', 'ERR max requests limit exceeded'])(
    'takes a server that can not answer now for away: %s',
    async (error) => {
      const { redis } = answering([async () => ({ error })]);

      expect(await failure(redis.get('a'))).toBeInstanceOf(RedisUnavailable);
      expect(await failure(redis.pipeline().get('a').exec())).toBeInstanceOf(RedisUnavailable);
    },
  );

  it('gives a hint: its reply, or the fallback if it is unavailable or refuses', async () => {
    expect(await hint(answering([ok]).redis.get('a'), null)).toBe('fine');
    expect(await hint(answering([cut]).redis.get('a'), null)).toBeNull();
    expect(await hint(answering([refuse]).redis.get('a'), 'none')).toBe('none');
    await expect(hint(Promise.reject(new TypeError('a bug')), null)).rejects.toThrow('a bug');
  });
});

describe('the Redis client over HTTP', () => {
  const start = async () => {
    const upstash = await startUpstash(createMemoryRedis());
    onTestFinished(upstash.close);
    return upstash;
  };

  it('logs a refused command without its values', async () => {
    const redis = createRedis(await start(), { timeoutMs: 5_000 });
    await redis.sadd('set', 'x');

    const error = await failure(redis.hset('set', { token: 'secret' }));

    expect(error.message).toBe('WRONGTYPE Operation against a key holding the wrong kind of value');
  });

  it('is unavailable when its token is refused', async () => {
    const redis = createRedis({ ...(await start()), token: 'another' }, { timeoutMs: 5_000 });

    expect((await failure(redis.get('a'))).message).toMatch(/^Redis is out of reach: WRONGPASS/);
  });

  it('is unavailable when no server listens', async () => {
    const upstash = await startUpstash(createMemoryRedis());
    await upstash.close();

    expect((await failure(createRedis(upstash, { timeoutMs: 5_000 }).get('a'))).message).toMatch(
      /^Redis is out of reach: fetch failed \(connect ECONNREFUSED/,
    );
  });
});
