import { RemovalPolicy, SecretValue, type Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Env } from '../schema/env.ts';
import type { Settings } from './settings.ts';

/** Signs the credentials of workers and seals stored secrets: lost with the stack, both would be worthless, so it stays. */
const secretKey = (stack: Stack): Secret =>
  new Secret(stack, 'SecretKey', {
    description: 'SECRET_KEY of the backend',
    generateSecretString: { passwordLength: 64, excludePunctuation: true },
    removalPolicy: RemovalPolicy.RETAIN,
  });

/**
 * The variables of every Lambda; one that is missing fails the compiler. Secrets are references that CloudFormation resolves
 * when it changes a function: a rotated one is taken up by the next deploy that changes something.
 */
export const environment = (stack: Stack, { databaseUrlSecret, publicUrl, corsOrigins }: Settings, apiUrl: string) =>
  ({
    DATABASE_URL: SecretValue.secretsManager(databaseUrlSecret).unsafeUnwrap(),
    // A Lambda serves one request at a time; what pools connections is before Postgres.
    DATABASE_POOL_SIZE: '1',
    DATABASE_PREPARE: 'false',
    SECRET_KEY: secretKey(stack).secretValue.unsafeUnwrap(),
    PUBLIC_URL: publicUrl ?? apiUrl,
    CORS_ORIGINS: corsOrigins,
    DEFAULT_TOOL: 'scripted',
    LEASE_MS: '60000',
    BUSY_HEARTBEAT_MS: '15000',
    IDLE_HEARTBEAT_MS: '60000',
    CLAIM_POLL_MS: '2000',
    LOG_RETENTION_DAYS: '30',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
  }) satisfies Record<keyof Env, string>;
