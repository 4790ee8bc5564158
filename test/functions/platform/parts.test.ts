import { describe, expect, it } from 'vitest';
import { createParts } from '../../../functions/platform/parts.ts';
import { parseEnv } from '../../../schema/env.ts';

const REQUIRED = { DATABASE_URL: 'postgres://127.0.0.1:1/none', SECRET_KEY: 's'.repeat(32) };
const REDIS = { UPSTASH_REDIS_REST_URL: 'https://redis.example', UPSTASH_REDIS_REST_TOKEN: 'token' };
const QUEUES = {
  SUBTASKS_QUEUE_URL: 'https://sqs.example/1/subtasks',
  SUBTASKS_DEAD_QUEUE_URL: 'https://sqs.example/1/subtasks-dead',
  EVENTS_QUEUE_URL: 'https://sqs.example/1/events',
  EVENTS_DEAD_QUEUE_URL: 'https://sqs.example/1/events-dead',
};
const BUCKET = { ARTIFACTS_URL: 'https://artifacts.s3.eu-central-1.amazonaws.com' };
const PUSH = { SOCKET_ENDPOINT: 'https://sockets.example/ws' };

describe('the parts of a Lambda', () => {
  it.each<[string, Record<string, string>, string[]]>([
    ['nothing', {}, ['log']],
    ['Redis', REDIS, ['log', 'redis']],
    ['queues', QUEUES, ['log', 'queues']],
    ['an address of sockets', PUSH, ['log', 'push']],
    ['a bucket of artifacts', BUCKET, ['log', 'blobs']],
    ['all', { ...REDIS, ...QUEUES, ...PUSH, ...BUCKET }, ['log', 'redis', 'queues', 'push', 'blobs']],
  ])('are those that the environment names: %s', (_, variables, expected) => {
    expect(Object.keys(createParts(parseEnv({ ...REQUIRED, ...variables })))).toEqual(expected);
  });
});
