import { once } from 'node:events';
import { Redis } from 'ioredis';
import { backoffMs } from '../../schema/client/backoff.ts';
import { type RedisReply, createRequester, type Link, type LinkedRequester } from './requester.ts';
import { createTcpSubscriber } from './tcp-subscriber.ts';

/** The client of the backend gives up sooner; after this the connection counts as dead, and another is made. */
const SILENCE_MS = 1_000;
const CONNECT_MS = 2_000;

/** Half a second at most between tries, spread so that many don't come at once. */
const retryStrategy = (times: number) => backoffMs(times, { baseMs: 40, maxMs: 500, jitter: [0, 1] });

const shared = (patienceMs: number) =>
  ({
    protocol: 2, // the shapes that Upstash's REST gives
    disableClientInfo: true,
    connectTimeout: Math.max(CONNECT_MS, patienceMs),
    retryStrategy,
  }) as const;

/**
 * Commands fail at once while there is no connection and when theirs breaks, and none is sent later or again: whoever asked has
 * gone on without an answer.
 */
const forCommands = (patienceMs: number) =>
  ({
    ...shared(patienceMs),
    commandTimeout: patienceMs,
    socketTimeout: patienceMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  }) as const;

const isReply = (error: Error) => error.name === 'ReplyError';
type Results = [error: Error | null, result?: unknown][];

/** Throws when an error says that the connection is at fault, not the command. */
const answersOf = (results: Results): RedisReply[] =>
  results.map(([error, result]) => {
    if (error === null) return { result };
    if (!isReply(error)) throw error;
    return { error: error.message };
  });

export type ConnectOptions = {
  /** Told of each connection that was good and ended, or fell silent: what that Redis held may be gone. */
  onCut?: (() => void) | undefined;
  /** How long an answer is waited for. */
  patienceMs?: number | undefined;
};

/** A Redis over TCP or TLS. The first connection has been tried when it answers; if that failed, it is tried again and again. */
export const connectRedis = async (url: string, options: ConnectOptions = {}): Promise<LinkedRequester> => {
  const { onCut = () => {}, patienceMs = SILENCE_MS } = options;
  const client = new Redis(url, forCommands(patienceMs));
  let broken: Error | null = null;
  client.on('error', (error) => {
    broken = error;
  });
  client.on('ready', () => {
    broken = null;
    client.once('close', onCut);
  });
  const subscriber = createTcpSubscriber(() => new Redis(url, { ...shared(patienceMs), maxRetriesPerRequest: null }));
  /** Names in capitals pass ioredis's own transformations by. */
  const send = async (batch: string[][], kind: 'pipeline' | 'multi'): Promise<RedisReply[]> => {
    const sent = client[kind]();
    for (const [name = '', ...args] of batch) sent.call(name.toUpperCase(), ...args);
    try {
      return answersOf((await sent.exec()) ?? []);
    } catch (error) {
      throw broken ?? error;
    }
  };
  const link: Link = {
    pipeline: (batch) => send(batch, 'pipeline'),
    multi: (batch) => send(batch, 'multi'),
    subscribe: subscriber.subscribe,
    close: async () => {
      await Promise.all([endRedis(client), subscriber.close()]);
    },
  };
  await firstTry(client, Math.max(CONNECT_MS, patienceMs));
  return createRequester(link);
};

/** An error ends the wait, too. */
const firstTry = (client: Redis, ms: number) => once(client, 'ready', { signal: AbortSignal.timeout(ms) }).catch(() => {});

/** Lets what was sent be answered, if it is answered soon. */
const endRedis = async (client: Redis) => {
  if (client.status === 'ready') await client.quit().catch(() => {});
  client.disconnect();
};
