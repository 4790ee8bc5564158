import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { addVariables } from './environment.ts';
import type { Settings } from './settings.ts';
import { allowSource, textOf } from './sources.ts';

/** Redis is created outside this stack; a Lambda reads its URL and token at start. */
export const grantRedis = (fn: LambdaFunction, { redis }: Settings) => {
  if (redis === null) return;
  allowSource(fn, redis);
  addVariables(fn, { UPSTASH_REDIS_REST_URL_FROM: textOf(redis, 'url'), UPSTASH_REDIS_REST_TOKEN_FROM: textOf(redis, 'token') });
};
