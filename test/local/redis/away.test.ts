import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createRedis, hint, type RedisAt, RedisAway, type RedisClient } from '../../../functions/platform/redis.ts';
import { connectRedis } from '../../../local/redis/tcp.ts';
import { freePort, until } from '../../support/processes.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { PROGRAM, startRealRedis } from '../support/redis.ts';

const real = it.skipIf(PROGRAM === null);

const failure = (asked: Promise<unknown>): Promise<Error> =>
  asked.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  );
const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
  const started = performance.now();
  return [await work, performance.now() - started];
};

/** Takes connections and never says a word. */
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
  const requester = await connectRedis(url, onCut);
  onTestFinished(() => requester.close());
  return requester;
};
const startReal = async () => {
  const server = await startRealRedis();
  onTestFinished(() => server.close());
  return server;
};
const startBehindProxy = async () => {
  const server = await startReal();
  const { port, password } = new URL(server.url);
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(port) });
  onTestFinished(() => proxy.close());
  return { proxy, requester: await connect(`redis://:${password}@127.0.0.1:${proxy.port}`) };
};
const isBack = (redis: RedisClient) => until('Redis to answer again', () => hint(redis.ping(), false), 10_000);

describe('a Redis that never answers', () => {
  const ways: [name: string, at: (port: number) => Promise<RedisAt>][] = [
    ['HTTP', async (port) => ({ url: `http://127.0.0.1:${port}`, token: 'x' })],
    ['TCP', async (port) => ({ requester: await connect(`redis://127.0.0.1:${port}`) })],
  ];
  it.each(ways)('is given up in time, over %s, and then not asked at all', async (_way, at) => {
    const redis = createRedis(await at(await startSilence()), { timeoutMs: 200 });

    const failures = await timed(Promise.all([1, 2, 3].map(() => failure(redis.set('a', 'x')))));
    const [next, ms] = await timed(failure(redis.get('a')));

    expect(failures[0].every((error) => error instanceof RedisAway)).toBe(true);
    expect(failures[1]).toBeLessThan(1_500);
    expect(next).toBeInstanceOf(RedisAway);
    expect(ms).toBeLessThan(50);
    expect(redis.health().state).toBe('open');
  });

  it('is closed all the same', async () => {
    const requester = await connectRedis(`redis://127.0.0.1:${await startSilence()}`);

    await requester.close();

    await expect(requester.request({ body: ['ping'] })).rejects.toThrow();
  });
});

/** Answers everything as if it were a PING, and keeps what it was sent. */
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
  it('is away at once, and when it comes it is asked again but not told what was given up', async () => {
    const port = await freePort();
    const redis = createRedis({ requester: await connect(`redis://127.0.0.1:${port}`) }, { restMs: 20 });
    const [error, ms] = await timed(failure(redis.set('given up', 'x')));
    expect(error.message).toMatch(/^Redis is out of reach: connect ECONNREFUSED/);
    expect(ms).toBeLessThan(300);

    const sent = startParrot(port);
    await isBack(redis);

    expect(redis.health()).toEqual({ state: 'closed', failure: null });
    expect(sent()).toMatch(/ping/i);
    expect(sent()).not.toContain('given up');
  });
});

describe('a real Redis', () => {
  real('that hangs is given up in time, and asked again when it goes on', async () => {
    const server = await startReal();
    const redis = createRedis({ requester: server.requester }, { timeoutMs: 200, restMs: 50 });
    await redis.set('a', 'kept');
    process.kill(server.pid(), 'SIGSTOP');

    const [error, ms] = await timed(failure(redis.set('a', 'given up')));
    process.kill(server.pid(), 'SIGCONT');

    expect(error.message).toBe('Redis is out of reach: no answer within 200 ms');
    expect(ms).toBeLessThan(1_000);
    await isBack(redis);
  });

  real('that is killed loses what it held and comes back, subscriptions too', async () => {
    const server = await startReal();
    const redis = createRedis({ requester: server.requester }, { restMs: 50 });
    const heard: string[] = [];
    await server.requester.subscribe('subscribe', 'news', (message) => void heard.push(message));
    await redis.set('a', 'x');
    let cuts = 0;
    await connect(server.url, () => void cuts++);
    const before = server.pid();

    process.kill(before, 'SIGKILL');
    await until('another one to run', () => server.pid() !== before);
    await isBack(redis);

    expect(await redis.get('a')).toBeNull();
    expect(cuts).toBe(1);
    await until('the subscriber to be back', async () => (await hint(redis.publish('news', 'hello'), 0)) === 1);
    await until('it to hear', () => heard.includes('hello'));
  });

  real('whose answer is lost is not asked again by the connection', async () => {
    const { requester, proxy } = await startBehindProxy();

    proxy.loseAnswers(1);
    await expect(requester.request({ body: ['incr', 'n'] })).rejects.toThrow();

    const answer = await until('an answer', () => requester.request({ body: ['get', 'n'] }).catch(() => null));
    expect(answer).toEqual({ result: '1' });
  });

  real('that is cut off in the middle of a pipeline is away as a whole', async () => {
    const { requester, proxy } = await startBehindProxy();
    const redis = createRedis({ requester });

    proxy.loseAnswers(100);
    const asked = redis.pipeline().set('a', 'x').set('b', 'x').exec({ keepErrors: true });

    expect(await failure(asked)).toBeInstanceOf(RedisAway);
  });
});
