import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRedis, hashOf, type RedisClient } from '../../../functions/platform/redis.ts';
import { until } from '../../support/processes.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';
import { type Backend, BACKENDS } from '../support/redis.ts';

/** The TTL of short-lived keys; where commands must run before it ends, time stands still in a transaction. */
const SHORT_MS = 300;

const refusal = (asked: Promise<unknown>) =>
  asked.then(
    () => 'no refusal',
    (error: Error) => `${error.name}: ${error.message}`,
  );

describe.each(BACKENDS)('the supported commands, %s', (_name, isHere, open) => {
  const test = it.skipIf(!isHere);
  let backend: Backend;
  let redis: RedisClient;
  beforeAll(async () => {
    if (!isHere) return;
    backend = await open();
    redis = createRedis(backend.at, { timeoutMs: PATIENCE_MS });
  });
  beforeEach(async () => {
    if (isHere) await redis.flushall();
  });
  afterAll(() => backend?.close());

  const isGone = (key: string) => async () => (await redis.exists(key)) === 0;
  const scores = (zset: string) => redis.zrange<string[]>(zset, 0, -1, { withScores: true });

  describe('strings', () => {
    test('keep text unchanged, including numbers', async () => {
      expect(await redis.set('a', '007')).toBe('OK');
      await redis.set('b', 12.5);
      await redis.set('c', 'ünï🙂\n"');

      expect(await redis.mget('a', 'b', 'c', 'none')).toEqual(['007', '12.5', 'ünï🙂\n"', null]);
      expect(await redis.get('none')).toBeNull();
    });

    test('are set only if they exist, or only if they do not', async () => {
      expect(await redis.set('a', '1', { xx: true })).toBeNull();
      expect(await redis.set('a', '2', { nx: true })).toBe('OK');
      expect(await redis.set('a', '3', { nx: true })).toBeNull();
      expect(await redis.set('a', '4', { xx: true })).toBe('OK');

      expect(await redis.get('a')).toBe('4');
    });

    test('count up and keep their TTL', async () => {
      expect(await redis.incr('n')).toBe(1);
      await redis.expire('n', 100);
      expect(await redis.incr('n')).toBe(2);

      expect(await redis.ttl('n')).toBeGreaterThan(90);
    });

    test('count only 64-bit integers', async () => {
      await redis.set('text', 'x');
      await redis.set('padded', '01');
      await redis.set('last', '9223372036854775807');

      expect(await refusal(redis.incr('text'))).toBe('UpstashError: ERR value is not an integer or out of range');
      expect(await refusal(redis.incr('padded'))).toBe('UpstashError: ERR value is not an integer or out of range');
      expect(await refusal(redis.incr('last'))).toBe('UpstashError: ERR increment or decrement would overflow');
    });
  });

  describe('times to live', () => {
    test('end a key of any type', async () => {
      const made = redis.multi().set('px', 'x', { px: SHORT_MS }).sadd('set', 'x').pexpire('set', SHORT_MS).exists('px', 'set').pttl('set');
      const [left, ...others] = (await made.exec()).toReversed();
      expect(others).toEqual([2, 1, 1, 'OK']);
      expect(left).toBeGreaterThanOrEqual(0);

      await backend.pass(SHORT_MS, async () => (await redis.exists('px', 'set')) === 0);

      expect(await redis.get('px')).toBeNull();
      expect(await redis.smembers('set')).toEqual([]);
      expect([await redis.ttl('px'), await redis.pttl('set')]).toEqual([-2, -2]);
    });

    test('are returned in seconds and milliseconds, -1 for a key without one', async () => {
      const transaction = redis.multi().set('a', 'x', { ex: 100 }).ttl('a').pttl('a');
      await redis.set('b', 'x');

      const [, seconds, ms] = await transaction.exec();
      expect(seconds).toBe(100);
      expect(ms).toBeGreaterThan(95_000);
      expect([await redis.ttl('b'), await redis.ttl('none')]).toEqual([-1, -2]);
    });

    test('are removed by SET, and set again by EXPIRE', async () => {
      const changed = redis.multi();
      for (const key of ['a', 'b', 'c']) changed.set(key, 'x', { px: SHORT_MS });
      changed.set('a', 'y').expire('b', 1_000).expire('none', 1_000);
      expect((await changed.exec()).slice(-2)).toEqual([1, 0]);

      await backend.pass(SHORT_MS, isGone('c'));

      expect(await redis.get('a')).toBe('y');
      expect(await redis.ttl('b')).toBeGreaterThan(900);
    });

    test('that have already passed delete the key', async () => {
      await redis.set('a', 'x');

      expect(await redis.pexpire('a', -1)).toBe(1);
      expect(await redis.exists('a')).toBe(0);
    });

    test('let a lock be taken again after it has expired', async () => {
      const short = { nx: true, px: SHORT_MS } as const;
      expect(await redis.multi().set('lock', 'me', short).set('lock', 'you', short).exec()).toEqual(['OK', null]);

      await backend.pass(SHORT_MS, isGone('lock'));

      expect(await redis.set('lock', 'you', short)).toBe('OK');
    });

    test('of zero are refused', async () => {
      expect(await refusal(redis.set('a', 'x', { ex: 0 }))).toBe("UpstashError: ERR invalid expire time in 'set' command");
    });
  });

  describe('hashes', () => {
    test('keep fields, count new ones and are deleted with the last field', async () => {
      expect(await redis.hset('h', { a: '1', b: 'x' })).toBe(2);
      expect(await redis.hset('h', { b: 'y', c: '' })).toBe(1);

      expect(hashOf(await redis.hgetall('h'))).toEqual({ a: '1', b: 'y', c: '' });
      expect(await redis.hget('h', 'b')).toBe('y');
      expect(await redis.hmget('h', 'a', 'none')).toEqual(['1', null]);
      expect(await redis.hdel('h', 'a', 'b', 'c', 'none')).toBe(3);
      expect(await redis.exists('h')).toBe(0);
      expect(hashOf(await redis.hgetall('h'))).toBeNull();
    });

    test('count in a field', async () => {
      expect(await redis.hincrby('h', 'n', 5)).toBe(5);
      expect(await redis.hincrby('h', 'n', -7)).toBe(-2);
      await redis.hset('h', { text: 'x' });

      expect(await refusal(redis.hincrby('h', 'text', 1))).toBe('UpstashError: ERR hash value is not an integer');
    });
  });

  describe('sets', () => {
    test('keep each member once, and are deleted with the last member', async () => {
      expect(await redis.sadd('s', 'a', 'b', 'a')).toBe(2);
      expect(await redis.sadd('s', 'b', 'c')).toBe(1);

      expect((await redis.smembers('s')).toSorted()).toEqual(['a', 'b', 'c']);
      expect([await redis.scard('s'), await redis.sismember('s', 'a'), await redis.sismember('s', 'z')]).toEqual([3, 1, 0]);
      expect(await redis.srem('s', 'a', 'b', 'c', 'z')).toBe(3);
      expect(await redis.exists('s')).toBe(0);
    });
  });

  describe('sorted sets', () => {
    test('are ordered by score, then by the bytes of the member', async () => {
      await redis.zadd('z', { score: 2, member: 'b' }, { score: 1, member: 'c' }, { score: 2, member: 'B' }, { score: 2, member: 'é' });

      expect(await scores('z')).toEqual(['c', '1', 'B', '2', 'b', '2', 'é', '2']);
      expect(await redis.zrange('z', 0, 1)).toEqual(['c', 'B']);
      expect(await redis.zrange('z', -2, -1)).toEqual(['b', 'é']);
      expect(await redis.zrange('z', 0, 0, { rev: true })).toEqual(['é']);
      expect([await redis.zcard('z'), await redis.zscore('z', 'c'), await redis.zscore('z', 'none')]).toEqual([4, '1', null]);
      expect(await redis.zmscore('z', ['b', 'none'])).toEqual(['2', null]);
    });

    test('are read by score, page by page, from either end', async () => {
      await redis.zadd('z', ...([1, 2, 3, 4, 5].map((score) => ({ score, member: `m${score}` })) as [{ score: number; member: string }]));

      expect(await redis.zrange('z', 2, 4, { byScore: true })).toEqual(['m2', 'm3', 'm4']);
      expect(await redis.zrange('z', '(2', '+inf', { byScore: true, offset: 1, count: 2 })).toEqual(['m4', 'm5']);
      expect(await redis.zrange('z', '+inf', '-inf', { byScore: true, rev: true, offset: 0, count: 2 })).toEqual(['m5', 'm4']);
    });

    test('add a member only if it is new, exists, rises or falls', async () => {
      await redis.zadd('z', { score: 5, member: 'a' });

      expect(await redis.zadd('z', { nx: true }, { score: 9, member: 'a' }, { score: 1, member: 'b' })).toBe(1);
      expect(await redis.zadd('z', { xx: true }, { score: 6, member: 'a' }, { score: 1, member: 'c' })).toBe(0);
      await redis.zadd('z', { gt: true }, { score: 4, member: 'a' }, { score: 3, member: 'b' });
      await redis.zadd('z', { lt: true }, { score: 7, member: 'a' }, { score: 2, member: 'b' });

      expect(await scores('z')).toEqual(['b', '2', 'a', '6']);
    });

    test('lose members by name and by rank, and are deleted with the last member', async () => {
      await redis.zadd('z', { score: 1, member: 'a' }, { score: 2, member: 'b' }, { score: 3, member: 'c' });

      expect(await redis.zrem('z', 'b', 'none')).toBe(1);
      expect(await redis.zremrangebyrank('z', 0, -2)).toBe(1);
      expect(await redis.zrange('z', 0, -1)).toEqual(['c']);
      expect(await redis.zremrangebyrank('z', 0, -1)).toBe(1);
      expect(await redis.exists('z')).toBe(0);
    });
  });

  describe('keys', () => {
    test('are counted and deleted, whatever their type', async () => {
      await redis.set('a', 'x');
      await redis.sadd('b', 'x');

      expect(await redis.exists('a', 'b', 'a', 'none')).toBe(3);
      expect(await redis.del('a', 'b', 'none')).toBe(2);
      expect(await redis.exists('a', 'b')).toBe(0);
    });

    test('are found by pattern and type, page by page', async () => {
      const fill = redis.pipeline();
      for (let at = 0; at < 50; at++) fill.set(`task:${at}`, 'x').sadd(`set:${at}`, 'x');
      await fill.exec();

      const found = new Set<string>();
      let cursor = '0';
      let pages = 0;
      do {
        const [next, keys] = await redis.scan(cursor, { match: 'task:?', count: 7, type: 'string' });
        for (const key of keys) found.add(key);
        cursor = next;
        pages++;
      } while (cursor !== '0');

      expect([...found].toSorted()).toEqual(Array.from({ length: 10 }, (_, at) => `task:${at}`));
      expect(pages).toBeGreaterThan(3);
    });

    test('that exist during a whole scan are all found, even if others are added and deleted', async () => {
      for (let at = 0; at < 30; at++) await redis.set(`stays:${at}`, 'x');

      const found = new Set<string>();
      let cursor = '0';
      for (let page = 0; page === 0 || cursor !== '0'; page++) {
        await redis.set(`comes:${page}`, 'x');
        const [next, keys] = await redis.scan(cursor, { count: 4 });
        for (const key of keys) found.add(key);
        await redis.del(`comes:${page - 1}`);
        cursor = next;
      }

      expect([...found].filter((key) => key.startsWith('stays:'))).toHaveLength(30);
    });

    test('are all deleted by FLUSHALL', async () => {
      await redis.set('a', 'x');

      expect(await redis.flushall()).toBe('OK');
      expect(await redis.exists('a')).toBe(0);
    });
  });

  describe('a pipeline', () => {
    test('is one round trip that answers each command in order', async () => {
      const before = redis.counted();

      const answers = await redis.pipeline().set('a', '1').incr('a').hgetall('h').zscore('z', 'x').exec();

      expect(answers).toEqual(['OK', 2, [], null]);
      const { round_trips, commands } = redis.counted();
      expect([round_trips - before.round_trips, commands - before.commands]).toEqual([1, 4]);
    });

    test('continues after a command that is refused', async () => {
      const pipeline = redis.pipeline().set('a', 'text').incr('a').set('b', 'x');

      const answers = await pipeline.exec({ keepErrors: true });

      expect(answers.map(({ error, result }) => error ?? result)).toEqual(['OK', 'ERR value is not an integer or out of range', 'OK']);
      expect(await redis.get('b')).toBe('x');
    });
  });

  describe('a transaction', () => {
    test('answers like a pipeline and continues after a refused command', async () => {
      const answers = await redis.multi().set('a', 'text').incr('a').set('b', 'x').exec({ keepErrors: true });

      expect(answers.map(({ error, result }) => error ?? result)).toEqual(['OK', 'ERR value is not an integer or out of range', 'OK']);
      expect(await redis.get('b')).toBe('x');
    });

    test('does nothing at all if one of its commands is invalid', async () => {
      const none: string[] = [];

      const refused = redis
        .multi()
        .set('a', 'x')
        .exists(...none)
        .exec();

      expect(await refusal(refused)).toMatch(/^UpstashError: EXECABORT Transaction discarded because of previous errors/);
      expect(await redis.exists('a')).toBe(0);
    });
  });

  test('a command on a key of another type is refused, and changes nothing', async () => {
    const wrong = 'UpstashError: WRONGTYPE Operation against a key holding the wrong kind of value';
    await redis.set('text', 'x');
    await redis.sadd('set', 'x');

    for (const asked of [
      redis.hset('text', { a: '1' }),
      redis.sadd('text', 'y'),
      redis.zadd('text', { score: 1, member: 'y' }),
      redis.get('set'),
      redis.incr('set'),
      redis.smembers('text'),
    ])
      expect(await refusal(asked)).toBe(wrong);
    expect(await redis.mget('text', 'set')).toEqual(['x', null]);
    expect(await redis.set('set', 'now text')).toBe('OK');
  });

  test('an unknown command and a wrong number of arguments are refused', async () => {
    const ask = (...body: string[]) => backend.requester.request({ body });

    expect((await ask('NOSUCH', 'a')).error).toMatch(/^ERR unknown command 'NOSUCH'/);
    expect((await ask('get')).error).toBe("ERR wrong number of arguments for 'get' command");
    expect((await ask('hset', 'h', 'a')).error).toBe("ERR wrong number of arguments for 'hset' command");
    expect((await ask('set', 'a', 'x', 'nx', 'xx')).error).toBe('ERR syntax error');
    await expect(backend.requester.request({ body: ['set', 'a', undefined] })).rejects.toThrow('an argument is missing');
  });

  test('PING is answered', async () => {
    expect(await redis.ping()).toBe('PONG');
  });

  describe('channels', () => {
    test('reach subscribers of the channel or of a matching pattern, until they unsubscribe', async () => {
      const received: string[] = [];
      const record = (who: string) => (message: string, channel: string) => void received.push(`${who} ${channel} ${message}`);
      const end = await backend.requester.subscribe('subscribe', 'events:task_update', record('one'));
      const endAll = await backend.requester.subscribe('psubscribe', 'events:*', record('all'));
      const endOther = await backend.requester.subscribe('subscribe', 'other', record('other'));

      expect(await redis.publish('events:task_update', '{"a":1}')).toBe(2);
      await until('both to receive it', () => received.length === 2);
      end();
      await until('one to be gone', async () => (await redis.publish('events:task_update', 'again')) === 1);
      await until('the other to receive the rest', () => received.includes('all events:task_update again'));

      expect(received.slice(0, 2).toSorted()).toEqual(['all events:task_update {"a":1}', 'one events:task_update {"a":1}']);
      expect(received.filter((line) => line.startsWith('other'))).toEqual([]);
      endAll();
      endOther();
      await until('nobody to listen', async () => (await redis.publish('events:task_update', 'more')) === 0);
    });

    test("arrive through the client's own subscriptions", async () => {
      const received: unknown[] = [];
      const subscriber = redis.psubscribe<string>('events:*');
      subscriber.on('pmessage', ({ channel, message }) => void received.push([channel, message]));
      await until('it to listen', async () => (await redis.publish('events:x', 'ready?')) === 1);

      await redis.publish('events:worker_update', '{"b":[1,2]}');

      await until('the message', () => received.length > 0 && JSON.stringify(received.at(-1)).includes('worker_update'));
      expect(received.at(-1)).toEqual(['events:worker_update', '{"b":[1,2]}']);
      await subscriber.unsubscribe();
      await until('nobody to listen', async () => (await redis.publish('events:x', 'more')) === 0);
    });
  });
});
