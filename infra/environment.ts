import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Env } from '../schema/env.ts';
import type { Settings } from './settings.ts';

/** Variables that need a permission: the file of the resource provides both. */
type Granted =
  | 'DATABASE_URL'
  | 'SECRET_KEY'
  | `UPSTASH_REDIS_REST_${'URL' | 'TOKEN'}`
  | 'SOCKET_ENDPOINT'
  | `${'SUBTASKS' | 'EVENTS'}_${'' | 'DEAD_'}QUEUE_URL`
  | 'ARTIFACTS_URL';
type GivenVariable =
  | Extract<keyof Env, Granted>
  | `${Granted}_FROM`
  | 'DATABASE_DIRECT_URL_FROM'
  | 'ADMIN_KEY_SECRET'
  | 'NODE_EXTRA_CA_CERTS';

/** Adds variables to those that every Lambda has. */
export const addVariables = (fn: LambdaFunction, variables: Partial<Record<GivenVariable, string>>) => {
  for (const [name, value] of Object.entries(variables)) fn.addEnvironment(name, value);
};

/** The addresses of the stack. */
export type Addresses = { apiUrl: string; socketUrl: string };
export type Variables = Record<Exclude<keyof Env, Granted>, string>;

/** The variables of every Lambda; a missing one is a compile error. The others are added with their permissions. */
export const environment = (settings: Settings, { apiUrl, socketUrl }: Addresses) =>
  ({
    // A Lambda serves one request at a time; a pooler is in front of PostgreSQL.
    DATABASE_POOL_SIZE: '1',
    DATABASE_PREPARE: 'true',
    DATABASE_MOST_WAITING: '0',
    PUBLIC_URL: settings.publicUrl ?? apiUrl,
    SOCKET_URL: socketUrl,
    CORS_ORIGINS: settings.corsOrigins,
    DEFAULT_TOOL: 'scripted',
    LEASE_MS: '60000',
    OUTAGE_MS: '30000',
    BUSY_HEARTBEAT_MS: '15000',
    IDLE_HEARTBEAT_MS: '60000',
    CLAIM_POLL_MS: '2000',
    HEALTH_MS: '900',
    LOG_RETENTION_DAYS: '30',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    LOG_SAMPLE_PERCENT: '1',
  }) satisfies Variables;
