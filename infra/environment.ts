import { RemovalPolicy, SecretValue, type Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Env } from '../schema/env.ts';
import type { Queues } from './queues.ts';
import type { Settings } from './settings.ts';

/** Signs the credentials of workers and seals stored secrets: lost with the stack, both would be worthless, so it stays. */
const secretKey = (stack: Stack): Secret =>
  new Secret(stack, 'SecretKey', {
    description: 'SECRET_KEY of the backend',
    generateSecretString: { passwordLength: 64, excludePunctuation: true },
    removalPolicy: RemovalPolicy.RETAIN,
  });

/** `url` and `token` of Redis; without it the Lambdas get empty variables, which count as unset. */
const redis = ({ redisSecret }: Settings, field: 'url' | 'token'): string =>
  redisSecret === null ? '' : SecretValue.secretsManager(redisSecret, { jsonField: field }).unsafeUnwrap();

/** Where the parts of the stack are reached. */
export type Addresses = { apiUrl: string; socketUrl: string; socketEndpoint: string; artifactsUrl: string; queues: Queues };

/**
 * The variables of every Lambda; one that is missing fails the compiler. Secrets are references that CloudFormation resolves
 * when it changes a function: a rotated one is taken up by the next deploy that changes something.
 */
export const environment = (stack: Stack, settings: Settings, { apiUrl, socketUrl, socketEndpoint, artifactsUrl, queues }: Addresses) =>
  ({
    DATABASE_URL: SecretValue.secretsManager(settings.databaseUrlSecret).unsafeUnwrap(),
    // A Lambda serves one request at a time; what pools connections is before Postgres.
    DATABASE_POOL_SIZE: '1',
    DATABASE_PREPARE: 'false',
    SECRET_KEY: secretKey(stack).secretValue.unsafeUnwrap(),
    PUBLIC_URL: settings.publicUrl ?? apiUrl,
    SOCKET_URL: socketUrl,
    SOCKET_ENDPOINT: socketEndpoint,
    UPSTASH_REDIS_REST_URL: redis(settings, 'url'),
    UPSTASH_REDIS_REST_TOKEN: redis(settings, 'token'),
    SUBTASKS_QUEUE_URL: queues.subtasks.queue.queueUrl,
    SUBTASKS_DEAD_QUEUE_URL: queues.subtasks.dead.queueUrl,
    EVENTS_QUEUE_URL: queues.events.queue.queueUrl,
    EVENTS_DEAD_QUEUE_URL: queues.events.dead.queueUrl,
    ARTIFACTS_URL: artifactsUrl,
    CORS_ORIGINS: settings.corsOrigins,
    DEFAULT_TOOL: 'scripted',
    LEASE_MS: '60000',
    OUTAGE_MS: '30000',
    BUSY_HEARTBEAT_MS: '15000',
    IDLE_HEARTBEAT_MS: '60000',
    CLAIM_POLL_MS: '2000',
    LOG_RETENTION_DAYS: '30',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    LOG_SAMPLE_PERCENT: '1',
  }) satisfies Record<keyof Env, string>;
