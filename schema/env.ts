import * as z from 'zod';
import { Tool } from './common.ts';

const whole = (min: number, max: number, fallback: number) => {
  const error = `must be an integer from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error }).default(fallback);
};
const oneOf = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` }).default(fallback);
const flag = (fallback: 'true' | 'false') => oneOf(['true', 'false'], fallback).transform((text) => text === 'true');
const address = (protocol: RegExp, example: string) =>
  z.url({ protocol, error: `must be a URL such as ${example}` }).meta({ examples: [example] });
const queueUrl = (name: string) => address(/^https?$/, `https://sqs.eu-central-1.amazonaws.com/123456789012/${name}`).optional();
const KEY_FAULT = 'must have at least 32 characters; generate one with: openssl rand -hex 32';
const PERCENT_FAULT = 'must be a number from 0 to 100';

/**
 * The environment of the backend, from which `.env.example` is generated. Times are in milliseconds unless the name has another unit. An
 * empty variable counts as unset.
 */
export const Env = z.object({
  DATABASE_URL: address(/^postgres(ql)?$/, 'postgres://user:password@host:5432/name').describe(
    'URL of a PostgreSQL, version 15 or newer. With ?auth=iam, IAM tokens are used as the password (RDS and Aurora)',
  ),
  DATABASE_POOL_SIZE: whole(1, 200, 1).describe('Maximum number of connections; use 1 behind a transaction pooler'),
  DATABASE_PREPARE: flag('true').describe(
    'Whether to use prepared statements; set false behind a transaction pooler that does not support them',
  ),
  DATABASE_MOST_WAITING: whole(0, 100_000, 0).describe(
    'Maximum number of caller requests that wait for a connection, separately for reads and for writes; further requests get 503 at once. 0 means 16 per connection',
  ),
  SECRET_KEY: z
    .string({ error: KEY_FAULT })
    .min(32, { error: KEY_FAULT })
    .describe('Signs worker credentials and encrypts stored secrets; generate one with: openssl rand -hex 32'),
  PUBLIC_URL: address(/^https?$/, 'https://agents.example.com')
    .default('http://127.0.0.1:8080')
    .describe('URL at which clients and workers reach this deployment'),
  SOCKET_URL: address(/^wss?$/, 'wss://agents.example.com/ws')
    .default('ws://127.0.0.1:8080/ws')
    .describe('URL at which clients open WebSockets'),
  SOCKET_ENDPOINT: address(/^https?$/, 'https://id.execute-api.eu-central-1.amazonaws.com/ws')
    .optional()
    .describe('URL for sending to open WebSockets (@connections of API Gateway); if unset, nothing is pushed and clients poll'),
  UPSTASH_REDIS_REST_URL: address(/^https?$/, 'https://name.upstash.io')
    .optional()
    .describe('URL and token of a Redis over HTTP; if unset, the platform works, but more slowly and without push'),
  UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
  SUBTASKS_QUEUE_URL: queueUrl('subtasks').describe(
    'URLs of the four SQS queues: set all or none. If unset, the tick does the work of their messages',
  ),
  SUBTASKS_DEAD_QUEUE_URL: queueUrl('subtasks-dead'),
  EVENTS_QUEUE_URL: queueUrl('events'),
  EVENTS_DEAD_QUEUE_URL: queueUrl('events-dead'),
  ARTIFACTS_URL: address(/^https?$/, 'https://name.s3.eu-central-1.amazonaws.com')
    .optional()
    .describe('URL of the S3 bucket for artifacts; if unset, artifacts are refused. npm start stores them in a folder instead'),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    )
    .describe('Origins of web pages that may call the API, separated by commas'),
  DEFAULT_TOOL: Tool.default('scripted').describe('Tool of subtasks that do not set one'),
  LEASE_MS: whole(1_000, 3_600_000, 60_000).describe(
    'How long an attempt may run without a heartbeat before its subtask is given to another worker',
  ),
  OUTAGE_MS: whole(1_000, 3_600_000, 15_000).describe(
    'If nothing has checked for expired leases for this long, the platform assumes an outage and gives leases their full time again. Must be longer than the time between two checks, which is 10 s while there is work',
  ),
  BUSY_HEARTBEAT_MS: whole(100, 600_000, 15_000).describe('Heartbeat interval of a worker that holds leases'),
  IDLE_HEARTBEAT_MS: whole(100, 600_000, 60_000).describe('Heartbeat interval of a worker that holds no leases'),
  CLAIM_POLL_MS: whole(10, 600_000, 2_000).describe('Time between claims of a worker that found nothing to claim'),
  HEALTH_MS: whole(100, 60_000, 900).describe('How long a health check waits for the database and for Redis'),
  LOG_RETENTION_DAYS: whole(1, 3_650, 30).describe('How long tool output is kept'),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info').describe('Minimum level of log lines'),
  LOG_FORMAT: oneOf(['json', 'text'], 'json').describe('Format of log lines: json for machines, text for people'),
  LOG_SAMPLE_PERCENT: z.coerce
    .number({ error: PERCENT_FAULT })
    .min(0, { error: PERCENT_FAULT })
    .max(100, { error: PERCENT_FAULT })
    .default(100)
    .describe('Percentage of requests whose debug and info lines are logged; warnings and errors are always logged'),
});
export type Env = z.output<typeof Env>;

/** The additional variables that `npm start` reads. */
export const StandaloneEnv = z.object({
  MAW_DATA: z.string().default('.maw').describe('Folder in which all data is stored'),
  MAW_PORT: whole(0, 65_535, 8080).describe('Port of the API; 0 picks a free port'),
  MAW_PUBLIC_URL: address(/^https?$/, 'http://192.168.1.10:8080')
    .optional()
    .describe('URL at which other machines reach this one'),
  REDIS_URL: address(/^rediss?$/, 'redis://user:password@host:6379')
    .optional()
    .describe('URL of a Redis over TCP, version 6.2 or newer, to use instead of starting one'),
});

/** Variables that must be set together. */
const TOGETHER: readonly (readonly (keyof Env)[])[] = [
  ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'],
  ['SUBTASKS_QUEUE_URL', 'SUBTASKS_DEAD_QUEUE_URL', 'EVENTS_QUEUE_URL', 'EVENTS_DEAD_QUEUE_URL'],
];

const missing = (given: Record<string, string>): string[] =>
  TOGETHER.filter((group) => group.some((name) => given[name] !== undefined)).flatMap((group) =>
    group.filter((name) => given[name] === undefined).map((name) => `${name}: must be set too; set all of ${group.join(', ')}, or none`),
  );

/** Parses the environment; throws one error that lists every invalid variable. */
export const parseEnv = (variables: Record<string, string | undefined>): Env => {
  const given = Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => Boolean(entry[1])));
  const parsed = Env.safeParse(given);
  const issues = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const faults = [...issues, ...missing(given)];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw new Error(`Invalid environment variables:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
};
