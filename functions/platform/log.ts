import type { Log, LogLevel } from '../domain/log.ts';
import type { Env } from '../../schema/env.ts';

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const APP = 'multi-agent-on-the-web';

/** What was foreseen, and is told as a warning, needs no stack. */
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

/** One line an event on standard error: JSON for machines, text for people. */
export const createLog =
  (env: Pick<Env, 'LOG_LEVEL' | 'LOG_FORMAT'>, write: (text: string) => void = (text) => process.stderr.write(text)): Log =>
  (level, event, fields = {}) => {
    if (RANK[level] < RANK[env.LOG_LEVEL]) return;
    const shown = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(level, value)]));
    write(`${line(env.LOG_FORMAT, level, event, shown)}\n`);
  };
