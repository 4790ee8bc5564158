import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createRedis, hint, type RedisAt, RedisUnavailable, type RedisClient } from '../../../functions/platform/redis.ts';
import { connectRedis } from '../../../local/redis/tcp.ts';
import { freePort, until } from '../../support/processes.ts';
import { startTcpProxy } from '../../../bench/support/tcp-proxy.ts';
import { PROGRAM, startRealRedis } from '../support/redis.ts';

const real = it.skipIf(PROGRAM === null);

const failure = (asked: Promise<unknown>): Promise<Error> =>
  asked.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  );

/** Accepts connections and never answers. */
const startSilence = async (): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

const connect = async (url: string, onCut?: () => void) => {
  const requester = await connectRedis(url, { onCut });
  onTestFinished(() => requester.close());
  return requester;
};
const startReal = async () => {
  const server = await startRealRedis(1_000);
  onTestFinished(() => server.close());
  return server;
};
const startBehindProxy = async () => {
  const server = await startReal();
  const { port, password } = new URL(server.url);
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(port) });
  onTestFinished(() => proxy.close());
  const requester = await connect(`redis://:${password}@127.0.0.1:${proxy.port}`);
  await until('the connection', () => requester.request({ body: ['ping'] }).catch(() => null));
  return { proxy, requester };
};
const isBack = (redis: RedisClient) => until('Redis to answer again', () => hint(redis.ping(), false), 18_000);
/** Sets a key once Redis answers in time. */
const keep = (redis: RedisClient, key: string) => until(`${key} to be kept`, () => hint(redis.set(key, 'x'), false));

describe('a Redis that never answers', () => {
  const ways: [name: string, at: (port: number) => Promise<RedisAt>, reason: RegExp][] = [
    ['HTTP', async (port) => ({ url: `http://127.0.0.1:${port}`, token: 'x' }), /no answer within 200 ms|aborted due to timeout/],
    [
      'TCP',
      async (port) => ({ requester: await connect(`redis://127.0.0.1:${port}`) }),
      /Socket timeout|writeable|no answer within 200 ms/,
    ],
  ];
  it.each(ways)('times out, over %s, and is then not queried at all', async (_way, at, reason) => {
    const redis = createRedis(await at(await startSilence()), { timeoutMs: 200, restMs: 600_000 });

    const failures = await Promise.all([1, 2, 3].map(() => failure(redis.set('a', 'x'))));
    const asked = redis.counted();
    const next = await failure(redis.get('a'));

    for (const error of failures) expect(error.message).toMatch(reason);
    expect([...failures, next].every((error) => error instanceof RedisUnavailable)).toBe(true);
    expect(redis.counted()).toEqual(asked);
    expect(redis.health().state).toBe('open');
  });

  it('can be closed', async () => {
    const requester = await connectRedis(`redis://127.0.0.1:${await startSilence()}`);

    await requester.close();

    await expect(requester.request({ body: ['ping'] })).rejects.toThrow();
  });
});

/** Answers every command like PING, and records what it received. */
const startParrot = (port: number): (() => string) => {
  let sent = '';
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      sent += chunk.toString();
      socket.write(chunk.toString().toUpperCase().includes('INFO') ? '$0\r\n\r\n' : '+PONG\r\n');
    });
  }).listen(port, '127.0.0.1');
  onTestFinished(() => void server.close());
  return () => sent;
};

describe('a Redis where nobody listens', () => {
  it('is unavailable at once; when it starts, it is queried again, but not sent what was given up', async () => {
    const port = await freePort();
    const redis = createRedis({ requester: await connect(`redis://127.0.0.1:${port}`) }, { restMs: 20 });
    const error = await failure(redis.set('given up', 'x'));
    expect(error.message).toMatch(/^Redis is out of reach: connect ECONNREFUSED/);

    const sent = startParrot(port);
    await isBack(redis);

    expect(redis.health()).toEqual({ state: 'closed', failure: null });
    expect(sent()).toMatch(/ping/i);
    expect(sent()).not.toContain('given up');
  });
});

describe('a real Redis', () => {
  real('that hangs times out, and is queried again when it continues', async () => {
    const server = await startReal();
    const redis = createRedis({ requester: server.requester }, { timeoutMs: 200, restMs: 50 });
    await keep(redis, 'a');
    process.kill(server.pid(), 'SIGSTOP');

    const error = await failure(redis.set('a', 'given up'));
    process.kill(server.pid(), 'SIGCONT');

    expect(error.message).toBe('Redis is out of reach: no answer within 200 ms');
    await isBack(redis);
  });

  real('that is killed loses its data and is available again, including subscriptions', async () => {
    const server = await startReal();
    const redis = createRedis({ requester: server.requester }, { restMs: 50 });
    const received: string[] = [];
    await server.requester.subscribe('subscribe', 'news', (message) => void received.push(message));
    await keep(redis, 'a');
    let cuts = 0;
    const other = await connect(server.url, () => void cuts++);
    await until('the other connection', () => other.request({ body: ['ping'] }).catch(() => null));
    const cutsBefore = cuts;
    const before = server.pid();

    process.kill(before, 'SIGKILL');
    await until('another one to run', () => server.pid() !== before);
    await isBack(redis);

    expect(await until('its data to be read', () => other.request({ body: ['get', 'a'] }).catch(() => null))).toEqual({ result: null });
    await until('the lost connection to be reported', () => cuts > cutsBefore);
    await until('the subscriber to be back', async () => (await hint(redis.publish('news', 'hello'), 0)) === 1);
    await until('the message', () => received.includes('hello'));
  });

  real('whose reply is lost is not queried again by the connection', async () => {
    const { requester, proxy } = await startBehindProxy();

    proxy.loseAnswers(1);
    await expect(requester.request({ body: ['incr', 'n'] })).rejects.toThrow();

    const answer = await until('an answer', () => requester.request({ body: ['get', 'n'] }).catch(() => null));
    expect(answer).toEqual({ result: '1' });
  });

  real('that disconnects in the middle of a pipeline fails the whole pipeline', async () => {
    const { requester, proxy } = await startBehindProxy();
    const redis = createRedis({ requester });

    proxy.loseAnswers(100);
    const asked = redis.pipeline().set('a', 'x').set('b', 'x').exec({ keepErrors: true });

    expect(await failure(asked)).toBeInstanceOf(RedisUnavailable);
  });
});
