import { errors, Redis, type Requester } from '@upstash/redis';
import type { Log } from '../domain/ports/log.ts';
import { type BreakerState, createBreaker } from './breaker.ts';
import { exchange, type Send } from './redis-exchange.ts';

export type { Requester };

/** Upstash or a compatible HTTP proxy, or a requester that passes the requests to a Redis. */
export type RedisAt = { url: string; token: string } | { requester: Requester };
export type RedisSettings = {
  /** How long a request may take, including its retry. */
  timeoutMs?: number;
  /** After this number of failures in a row, no request is sent for `restMs`. */
  failures?: number;
  restMs?: number;
  now?: () => number;
  log?: Log;
};
export type RedisClient = Redis & {
  health(): { state: BreakerState; failure: string | null };
  /** What was sent since the start: requests, including retries, and their commands. */
  counted(): { round_trips: number; commands: number };
};

/** Redis did not reply, or replied that it is currently unavailable. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
}

/**
 * The Upstash client. All values are strings as Redis stores them, so HGETALL returns a flat list (see hashOf). Commands are pipelined
 * only on request.
 */
export const createRedis = (at: RedisAt, settings: RedisSettings = {}): RedisClient => {
  const { timeoutMs = 500, failures = 3, restMs = 3_000, now, log = () => {} } = settings;
  const redis = new Redis({
    ...('requester' in at ? { url: 'http://requester.invalid', token: 'none' } : { url: at.url.trim(), token: at.token.trim() }),
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    responseEncoding: false,
    retry: { retries: 0 }, // retries are counted and done below; `retry: false` would still retry once
    signal: () => AbortSignal.timeout(timeoutMs),
  });
  const counted = { round_trips: 0, commands: 0 };
  const breaker = createBreaker({
    failures,
    restMs,
    ...(now ? { now } : {}),
    onChange: (error) => (error ? log('warn', 'redis.unavailable', { error }) : log('info', 'redis.available')),
  });
  redis.use(async (request, next) => {
    const send: Send = 'requester' in at ? (it) => at.requester.request(it) : next;
    if (request.isStreaming) return send(request);
    const running = breaker.run(() => exchange({ request, send, timeoutMs, counted }));
    const outcome = await (running ?? Promise.reject(new Error('it failed a moment ago', { cause: breaker.failure() }))).catch(
      throwUnavailable,
    );
    for (const refused of outcome.refusals) log('error', 'redis.refused', refused);
    if ('thrown' in outcome) throw outcome.thrown;
    return outcome.response;
  });
  return Object.assign(redis, {
    health: () => ({ state: breaker.state(), failure: breaker.failure()?.message ?? null }),
    counted: () => ({ ...counted }),
  });
};

const throwUnavailable = (cause: Error): never => {
  const deeper = cause.cause instanceof Error ? ` (${cause.cause.message})` : '';
  throw new RedisUnavailable(`Redis is out of reach: ${cause.message}${deeper}`, { cause });
};

/**
 * The reply of Redis, or the fallback if Redis is unavailable or refuses the command (a bug, which is logged): replies of Redis are
 * hints, so a missing one is not an error.
 */
export const hint = async <T, F = T>(asked: Promise<T>, fallback: F): Promise<T | F> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RedisUnavailable || error instanceof errors.UpstashError) return fallback;
    throw error;
  }
};

/** The hash in a reply to HGETALL; null if it does not exist. */
export const hashOf = (answer: unknown): Record<string, string> | null => {
  const flat = answer as string[];
  if (flat.length === 0) return null;
  return Object.fromEntries(flat.flatMap((text, at) => (at % 2 === 0 ? [[text, flat[at + 1] ?? '']] : [])));
};
