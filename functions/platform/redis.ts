import { errors, Redis, type Requester } from '@upstash/redis';
import type { Log } from '../domain/ports/log.ts';
import { type BreakerState, createBreaker } from './breaker.ts';
import { exchange, type Send } from './redis-exchange.ts';

export type { Requester };

/** An Upstash or an HTTP proxy that speaks like one, or whatever carries its requests to a Redis. */
export type RedisAt = { url: string; token: string } | { requester: Requester };
export type RedisSettings = {
  /** How long a request may take, its repetition included. */
  timeoutMs?: number;
  /** So many failures one after the other, and for `restMs` nothing is asked. */
  failures?: number;
  restMs?: number;
  now?: () => number;
  log?: Log;
};
export type RedisClient = Redis & {
  health(): { state: BreakerState; failure: string | null };
  /** What was sent since the start: requests, repetitions included, and the commands in them. */
  counted(): { round_trips: number; commands: number };
};

/** Redis did not answer, or answered that it can't now. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/**
 * The client of Upstash. All values are text as Redis holds them, so HGETALL answers a flat list (see hashOf). Nothing is
 * pipelined unless it is asked for.
 */
export const createRedis = (at: RedisAt, settings: RedisSettings = {}): RedisClient => {
  const { timeoutMs = 500, failures = 3, restMs = 3_000, now, log = () => {} } = settings;
  const redis = new Redis({
    ...('requester' in at ? { url: 'http://requester.invalid', token: 'none' } : { url: at.url.trim(), token: at.token.trim() }),
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    responseEncoding: false,
    retry: { retries: 0 }, // counted and repeated below; `retry: false` repeats once
    signal: () => AbortSignal.timeout(timeoutMs),
  });
  const counted = { round_trips: 0, commands: 0 };
  const breaker = createBreaker({
    failures,
    restMs,
    ...(now ? { now } : {}),
    onChange: (error) => (error ? log('warn', 'redis.away', { error }) : log('info', 'redis.back')),
  });
  redis.use(async (request, next) => {
    const send: Send = 'requester' in at ? (it) => at.requester.request(it) : next;
    if (request.isStreaming) return send(request);
    const running = breaker.run(() => exchange({ request, send, timeoutMs, counted }));
    const outcome = await (running ?? Promise.reject(new Error('it failed a moment ago', { cause: breaker.failure() }))).catch(away);
    for (const refused of outcome.refusals) log('error', 'redis.refused', refused);
    if ('thrown' in outcome) throw outcome.thrown;
    return outcome.response;
  });
  return Object.assign(redis, {
    health: () => ({ state: breaker.state(), failure: breaker.failure()?.message ?? null }),
    counted: () => ({ ...counted }),
  });
};

const away = (cause: Error): never => {
  const deeper = cause.cause instanceof Error ? ` (${cause.cause.message})` : '';
  throw new RedisAway(`Redis is out of reach: ${cause.message}${deeper}`, { cause });
};

/**
 * What Redis answers, or the fallback when it can't be asked or refuses the command (which is logged as the bug that it is):
 * an answer of Redis is a hint, and none is no error.
 */
export const hint = async <T, F = T>(asked: Promise<T>, fallback: F): Promise<T | F> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RedisAway || error instanceof errors.UpstashError) return fallback;
    throw error;
  }
};

/** The hash in an answer to HGETALL; null when there is none. */
export const hashOf = (answer: unknown): Record<string, string> | null => {
  const flat = answer as string[];
  if (flat.length === 0) return null;
  return Object.fromEntries(flat.flatMap((text, at) => (at % 2 === 0 ? [[text, flat[at + 1] ?? '']] : [])));
};
