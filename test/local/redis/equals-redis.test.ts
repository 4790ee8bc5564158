import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryRedis } from '../../../local/redis/memory.ts';
import type { LinkedRequester } from '../../../local/redis/requester.ts';
import { PROGRAM, startRealRedis } from '../support/redis.ts';

const key = fc.constantFrom('a', 'b', 'c');
const member = fc.constantFrom('x', 'y', 'Z', 'é', '🙂', '');
const whole = fc.oneof(fc.integer({ min: -3, max: 5 }).map(String), fc.constantFrom('nonsense', '-0', '1.5', '9223372036854775807'));
const score = fc.oneof(
  fc.integer({ min: -2, max: 3 }).map(String),
  fc.constantFrom('0.5', '-1.25', '1e3', '+inf', '-inf', 'nonsense', '9007199254740991'),
);
const bound = fc.oneof(
  score,
  score.map((text) => `(${text}`),
);
/** In seconds or milliseconds; none expires while the other commands run. */
const ttl = fc.constantFrom('1000', '0', '-1', 'x');
const longTtl = fc.constantFrom('1000000', '0', '-1', 'x');
const some = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 0, maxLength: 3 });
const flags = (...names: string[]) => fc.subarray(names, { minLength: 0 });
const optional = (args: fc.Arbitrary<string[]>) => fc.oneof(fc.constant<string[]>([]), args);

/** A command with its name and the arguments that its parts generate. */
const command = (name: string, ...parts: fc.Arbitrary<string | string[]>[]) => fc.tuple(...parts).map((made) => [name, ...made.flat()]);

const COMMAND = fc.oneof(
  command('get', key),
  command(
    'set',
    key,
    fc.oneof(member, whole),
    flags('nx', 'XX'),
    optional(ttl.map((it) => ['ex', it])),
    optional(longTtl.map((it) => ['PX', it])),
  ),
  command('mget', some(key)),
  command('incr', key),
  command('del', some(key)),
  command('exists', some(key)),
  command('expire', key, ttl),
  command('ttl', key),
  command('hset', key, some(member)),
  command('hset', key, member, whole),
  command('hget', key, member),
  command('hmget', key, some(member)),
  command('hgetall', key),
  command('hincrby', key, member, whole),
  command('hdel', key, some(member)),
  command('sadd', key, some(member)),
  command('srem', key, some(member)),
  command('smembers', key),
  command('sismember', key, member),
  command('scard', key),
  command(
    'zadd',
    key,
    flags('NX', 'xx', 'gt', 'LT'),
    fc.array(fc.tuple(score, member), { minLength: 0, maxLength: 3 }).map((it) => it.flat()),
  ),
  command('zrem', key, some(member)),
  command('zrange', key, whole, whole, flags('rev', 'WITHSCORES')),
  command(
    'zrange',
    key,
    bound,
    bound,
    flags('byscore', 'REV', 'withscores'),
    optional(fc.tuple(whole, whole).map((it) => ['limit', ...it])),
  ),
  command('zcard', key),
  command('zscore', key, member),
  command('zmscore', key, some(member)),
  command('zremrangebyrank', key, whole, whole),
  command('scan', fc.constantFrom('0', 'x'), optional(fc.constantFrom(['match', '[ab]'], ['count', '0'], ['type', 'zset'], ['match']))),
  command('flushall'),
);

const UNORDERED = new Set(['hgetall', 'smembers', 'scan']);

/** Outside of transactions, some time may pass in the real Redis. */
const roughly = ({ result }: { result: number }) => ({ result: Math.ceil(result / 100) * 100 });

/** Replies without a defined order are sorted before they are compared. */
const comparable = (name: string, answer: unknown): unknown => {
  if (name === 'ttl' && (answer as { result: number }).result > 0) return roughly(answer as { result: number });
  if (!UNORDERED.has(name)) return answer;
  return JSON.parse(JSON.stringify(answer), (_key, value: unknown) => (Array.isArray(value) ? value.map(String).toSorted() : value));
};

const carryOut = async (requester: LinkedRequester, path: string, body: string[][]) => {
  await requester.request({ body: ['flushall'] });
  const answered = await requester.request({ path: [path], body }).catch((error: Error) => error.message);
  return Array.isArray(answered) ? answered.map((answer, at) => comparable(body[at]?.[0] ?? '', answer)) : answered;
};

describe.skipIf(PROGRAM === null)('a Redis in memory and a real one', () => {
  let real: Awaited<ReturnType<typeof startRealRedis>>;
  const memory = createMemoryRedis();
  beforeAll(async () => {
    real = await startRealRedis();
  });
  afterAll(() => real.close());

  it.each(['pipeline', 'multi-exec'])('give the same replies to any %s', async (path) => {
    await fc.assert(
      fc.asyncProperty(fc.array(COMMAND, { minLength: 1, maxLength: 40 }), async (commands) => {
        expect(await carryOut(memory, path, commands)).toEqual(await carryOut(real.requester, path, commands));
      }),
      { numRuns: 400 },
    );
  });

  const piece = fc.constantFrom('*', '?', 'a', 'b', '[ab]', '[^a]', '[a-c]', '[c-a]', '\\*', '\\[', '[\\]^]', 'é', '.', '-', ']', '^');
  it('match the same keys for any pattern whose brackets are closed', async () => {
    const names = ['a', 'b', 'ab', 'abc', 'a*', '*', '.', 'é', 'a.b', '[', 'a]', '-', '\\', '^', 'a-c'];
    const fill = names.map((name) => ['set', name, 'x']);
    for (const { requester } of [{ requester: memory }, real]) await carryOut(requester, 'pipeline', fill);

    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 4 }), async (pieces) => {
        const body = ['scan', '0', 'match', pieces.join(''), 'count', '1000'];
        const [mine, theirs] = await Promise.all([memory, real.requester].map((requester) => requester.request({ body })));
        expect(comparable('scan', mine)).toEqual(comparable('scan', theirs));
      }),
      { numRuns: 500 },
    );
  });
});
