import * as z from 'zod';
import { Tool } from './common.ts';

const whole = (min: number, max: number, fallback: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error }).default(fallback);
};
const oneOf = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` }).default(fallback);
const flag = (fallback: 'true' | 'false') => oneOf(['true', 'false'], fallback).transform((text) => text === 'true');
const address = (protocol: RegExp, example: string) =>
  z.url({ protocol, error: `must be a URL such as ${example}` }).meta({ examples: [example] });
const queueUrl = (name: string) => address(/^https?$/, `https://sqs.eu-central-1.amazonaws.com/123456789012/${name}`).optional();
const KEY_FAULT = 'must have at least 32 characters; make one with: openssl rand -hex 32';
const PERCENT_FAULT = 'must be a number from 0 to 100';

/**
 * The environment of the backend, and what `.env.example` is made of. Times are in milliseconds unless the name says otherwise. An
 * empty variable counts as unset.
 */
export const Env = z.object({
  DATABASE_URL: address(/^postgres(ql)?$/, 'postgres://user:password@host:5432/name').describe(
    'PostgreSQL, 15 or newer; with ?auth=iam the password is a token of IAM, for RDS and Aurora',
  ),
  DATABASE_POOL_SIZE: whole(1, 200, 1).describe('Connections at most; 1 behind a transaction pooler'),
  DATABASE_PREPARE: flag('true').describe('Prepared statements; false behind a transaction pooler that does not carry them'),
  DATABASE_MOST_WAITING: whole(0, 100_000, 0).describe(
    'Requests of callers that may wait for a connection, of those that read and of the others each; further ones get 503 at once. 0 stands for 16 for each connection',
  ),
  SECRET_KEY: z
    .string({ error: KEY_FAULT })
    .min(32, { error: KEY_FAULT })
    .describe('Signs the credentials of workers and seals stored secrets, such as: openssl rand -hex 32'),
  PUBLIC_URL: address(/^https?$/, 'https://agents.example.com')
    .default('http://127.0.0.1:8080')
    .describe('Where clients and workers reach this deployment'),
  SOCKET_URL: address(/^wss?$/, 'wss://agents.example.com/ws')
    .default('ws://127.0.0.1:8080/ws')
    .describe('Where clients open WebSockets'),
  SOCKET_ENDPOINT: address(/^https?$/, 'https://id.execute-api.eu-central-1.amazonaws.com/ws')
    .optional()
    .describe('Where open WebSockets are written to (@connections); without it nothing is pushed and clients ask'),
  UPSTASH_REDIS_REST_URL: address(/^https?$/, 'https://name.upstash.io')
    .optional()
    .describe('Redis over HTTP, with its token; without it the platform works, but slower and without push'),
  UPSTASH_REDIS_REST_TOKEN: z.string().optional(),
  SUBTASKS_QUEUE_URL: queueUrl('subtasks').describe(
    'The four queues of SQS, all or none; without them the tick does what their messages would',
  ),
  SUBTASKS_DEAD_QUEUE_URL: queueUrl('subtasks-dead'),
  EVENTS_QUEUE_URL: queueUrl('events'),
  EVENTS_DEAD_QUEUE_URL: queueUrl('events-dead'),
  ARTIFACTS_URL: address(/^https?$/, 'https://name.s3.eu-central-1.amazonaws.com')
    .optional()
    .describe('The bucket of S3 that keeps artifacts; without it, and without a folder as on one machine, they are refused'),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    )
    .describe('Origins of web pages that may call, separated by commas'),
  DEFAULT_TOOL: Tool.default('scripted').describe('The tool of subtasks that name none'),
  LEASE_MS: whole(1_000, 3_600_000, 60_000).describe(
    'How long an attempt may go on without a heartbeat before another worker gets its subtask',
  ),
  OUTAGE_MS: whole(1_000, 3_600_000, 15_000).describe(
    'After how long without a look at what is overdue the platform counts as having been away: leases then get their time anew. More than the tick takes',
  ),
  BUSY_HEARTBEAT_MS: whole(100, 600_000, 15_000).describe('Between heartbeats of a worker that holds leases'),
  IDLE_HEARTBEAT_MS: whole(100, 600_000, 60_000).describe('Between heartbeats of a worker that holds none'),
  CLAIM_POLL_MS: whole(10, 600_000, 2_000).describe('Between claims of a worker that found nothing'),
  HEALTH_MS: whole(100, 60_000, 900).describe('How long a check of health waits for the database and for Redis'),
  LOG_RETENTION_DAYS: whole(1, 3_650, 30).describe('How long the output of tools is kept'),
  LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info').describe('What is less grave is not logged'),
  LOG_FORMAT: oneOf(['json', 'text'], 'json').describe('JSON for machines, text for people'),
  LOG_SAMPLE_PERCENT: z.coerce
    .number({ error: PERCENT_FAULT })
    .min(0, { error: PERCENT_FAULT })
    .max(100, { error: PERCENT_FAULT })
    .default(100)
    .describe('Of how many requests the lines below a warning are logged; warnings and errors always are'),
});
export type Env = z.output<typeof Env>;

/** What `npm start` reads besides. */
export const HomeEnv = z.object({
  MAW_DATA: z.string().default('.maw').describe('The folder that keeps everything'),
  MAW_PORT: whole(0, 65_535, 8080).describe('0 takes a free one'),
  MAW_PUBLIC_URL: address(/^https?$/, 'http://192.168.1.10:8080')
    .optional()
    .describe('How other machines reach this one'),
  REDIS_URL: address(/^rediss?$/, 'redis://user:password@host:6379')
    .optional()
    .describe('A Redis over TCP, 6.2 or newer'),
});

/** Variables that are of use only together. */
const TOGETHER: readonly (readonly (keyof Env)[])[] = [
  ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'],
  ['SUBTASKS_QUEUE_URL', 'SUBTASKS_DEAD_QUEUE_URL', 'EVENTS_QUEUE_URL', 'EVENTS_DEAD_QUEUE_URL'],
];

const missing = (given: Record<string, string>): string[] =>
  TOGETHER.filter((group) => group.some((name) => given[name] !== undefined)).flatMap((group) =>
    group
      .filter((name) => given[name] === undefined)
      .map((name) => `${name}: must be set too: ${group.join(', ')} belong together; set all of them, or none`),
  );

/** Reads the environment; throws one error that names every variable at fault. */
export const parseEnv = (variables: Record<string, string | undefined>): Env => {
  const given = Object.fromEntries(Object.entries(variables).filter((entry): entry is [string, string] => Boolean(entry[1])));
  const parsed = Env.safeParse(given);
  const issues = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const faults = [...issues, ...missing(given)];
  if (parsed.success && faults.length === 0) return parsed.data;
  throw new Error(`The environment is not complete:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
};
