import { describe, expect, it } from 'vitest';
import { parseEnv } from '../../schema/env.ts';

const REQUIRED = { DATABASE_URL: 'postgres://127.0.0.1/maw', SECRET_KEY: 's'.repeat(32) };
const QUEUES = {
  SUBTASKS_QUEUE_URL: 'https://sqs.example/1/subtasks',
  SUBTASKS_DEAD_QUEUE_URL: 'https://sqs.example/1/subtasks-dead',
  EVENTS_QUEUE_URL: 'https://sqs.example/1/events',
  EVENTS_DEAD_QUEUE_URL: 'https://sqs.example/1/events-dead',
};

const faultsOf = (variables: Record<string, string>): string[] => {
  try {
    parseEnv(variables);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n').slice(1);
  }
};

describe('the environment', () => {
  it('needs a database and a key, and has defaults for the rest', () => {
    const env = parseEnv(REQUIRED);

    expect(env).toMatchObject({ DATABASE_POOL_SIZE: 1, LOG_SAMPLE_PERCENT: 100, CORS_ORIGINS: [] });
    expect(env.UPSTASH_REDIS_REST_URL ?? env.EVENTS_QUEUE_URL ?? env.SOCKET_ENDPOINT).toBeUndefined();
  });

  it('treats an empty variable as unset', () => {
    const empty = { ...REQUIRED, LEASE_MS: '', UPSTASH_REDIS_REST_URL: '', UPSTASH_REDIS_REST_TOKEN: '', EVENTS_QUEUE_URL: '' };

    expect(parseEnv(empty)).toEqual(parseEnv(REQUIRED));
  });

  it('lists every invalid variable at once, with what is accepted', () => {
    const faults = faultsOf({
      DATABASE_URL: 'mysql://host/name',
      DATABASE_POOL_SIZE: '0',
      DATABASE_PREPARE: 'yes',
      PUBLIC_URL: 'agents.example.com',
      SOCKET_URL: 'https://agents.example.com',
      LEASE_MS: '1.5',
      CLAIM_POLL_MS: 'often',
      LOG_LEVEL: 'loud',
      LOG_SAMPLE_PERCENT: '101',
      UPSTASH_REDIS_REST_URL: 'https://name.upstash.io',
    });

    expect(faults).toEqual([
      '  DATABASE_URL: must be a URL such as postgres://user:password@host:5432/name',
      '  DATABASE_POOL_SIZE: must be an integer from 1 to 200',
      '  DATABASE_PREPARE: must be one of true, false',
      '  SECRET_KEY: must have at least 32 characters; generate one with: openssl rand -hex 32',
      '  PUBLIC_URL: must be a URL such as https://agents.example.com',
      '  SOCKET_URL: must be a URL such as wss://agents.example.com/ws',
      '  LEASE_MS: must be an integer from 1000 to 3600000',
      '  CLAIM_POLL_MS: must be an integer from 10 to 600000',
      '  LOG_LEVEL: must be one of debug, info, warn, error',
      '  LOG_SAMPLE_PERCENT: must be a number from 0 to 100',
      '  UPSTASH_REDIS_REST_TOKEN: must be set too; set all of UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN, or none',
    ]);
  });

  it('reports no value, which may be a secret', () => {
    const secrets = { DATABASE_URL: 'mysql://user:hunter2@host/name', SECRET_KEY: 'hunter2', UPSTASH_REDIS_REST_TOKEN: 'hunter2' };

    expect(faultsOf(secrets)).toHaveLength(3);
    expect(faultsOf(secrets).join('\n')).not.toContain('hunter2');
  });

  it('requires all four queues or none', () => {
    expect(parseEnv({ ...REQUIRED, ...QUEUES })).toMatchObject(QUEUES);
    for (const name of Object.keys(QUEUES)) {
      const faults = faultsOf({ ...REQUIRED, ...QUEUES, [name]: '' });
      expect(faults).toEqual([expect.stringContaining(`${name}: must be set too`)]);
    }
  });
});
