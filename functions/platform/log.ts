import { hash } from 'node:crypto';
import type { Log, LogLevel } from '../domain/ports/log.ts';
import type { Env } from '../../schema/env.ts';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const APP = 'multi-agent-on-the-web';

/** Warnings are about expected errors, so they have no stack. */
const plain = (level: LogLevel, value: unknown): unknown => {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, ...(level === 'error' ? { stack } : {}), cause: plain(level, cause) };
};

const line = (format: Env['LOG_FORMAT'], level: LogLevel, event: string, fields: Record<string, unknown>) => {
  const timestamp = new Date().toISOString();
  if (format === 'json') return JSON.stringify({ timestamp, level, app: APP, event, ...fields });
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [timestamp, level.toUpperCase().padEnd(5), event, ...rest].join(' ');
};

/** Decides by the request id, so that all lines of a request are kept or dropped together, in every process that it passes. */
const isSampled = (percent: number, requestId: unknown): boolean =>
  percent >= 100 || hash('sha1', String(requestId), 'buffer').readUInt32BE() < (percent / 100) * 2 ** 32;

/**
 * Writes one line per event to standard error: JSON for machines, text for people. Debug and info lines of requests, which are most
 * lines, are sampled; lines without a request, warnings and errors are always written.
 */
export const createLog =
  (
    env: Pick<Env, 'LOG_LEVEL' | 'LOG_FORMAT' | 'LOG_SAMPLE_PERCENT'>,
    write: (text: string) => void = (text) => process.stderr.write(text),
  ): Log =>
  (level, event, fields = {}) => {
    if (RANK[level] < RANK[env.LOG_LEVEL]) return;
    if (RANK[level] < RANK.warn && 'request_id' in fields && !isSampled(env.LOG_SAMPLE_PERCENT, fields.request_id)) return;
    const shown = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(level, value)]));
    write(`${line(env.LOG_FORMAT, level, event, shown)}\n`);
  };
