import { once } from 'node:events';
import { Redis } from 'ioredis';
import { backoffMs } from '../../schema/client/backoff.ts';
import { type RedisReply, createRequester, type Link, type LinkedRequester } from './requester.ts';
import { createTcpSubscriber } from './tcp-subscriber.ts';

/** The backend's client gives up sooner. After this time the connection counts as dead and is replaced. */
const SILENCE_MS = 1_000;
const CONNECT_MS = 2_000;

/** At most half a second between attempts, with jitter, so that many clients do not connect at once. */
const retryStrategy = (times: number) => backoffMs(times, { baseMs: 40, maxMs: 500, jitter: [0, 1] });

const shared = (patienceMs: number) =>
  ({
    protocol: 2, // the reply shapes of Upstash's REST API
    disableClientInfo: true,
    connectTimeout: Math.max(CONNECT_MS, patienceMs),
    retryStrategy,
  }) as const;

/**
 * Commands fail at once while there is no connection and when their connection breaks. None is sent later or again: the caller has
 * already continued without a reply.
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

/** Throws if an error means that the connection failed, not the command. */
const answersOf = (results: Results): RedisReply[] =>
  results.map(([error, result]) => {
    if (error === null) return { result };
    if (!isReply(error)) throw error;
    return { error: error.message };
  });

export type ConnectOptions = {
  /** Called after a working connection ended or stopped answering: the data of that Redis may be lost. */
  onCut?: (() => void) | undefined;
  /** How long to wait for a reply. */
  patienceMs?: number | undefined;
};

/** A Redis over TCP or TLS. Resolves after the first connection attempt; if that failed, it keeps trying. */
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
  /** Names in capitals bypass ioredis's own transformations. */
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

/** An error ends the wait as well. */
const firstTry = (client: Redis, ms: number) => once(client, 'ready', { signal: AbortSignal.timeout(ms) }).catch(() => {});

/** Waits briefly for replies to what was sent. */
const endRedis = async (client: Redis) => {
  if (client.status === 'ready') await client.quit().catch(() => {});
  client.disconnect();
};
