import { type Env, parseEnv } from '../../schema/env.ts';
import { type Composed, createContext, type Parts } from './context.ts';
import { createLog } from './log.ts';
import { createPush } from './push.ts';
import { createQueues } from './queues.ts';
import { createRedis } from './redis.ts';
import { createS3Blobs } from './blobs.ts';
import { withSources } from './sources.ts';

/** The clients of Redis, SQS, S3 and `@connections`; one whose variables are not set is omitted. Opens no connection. */
export const createParts = (env: Env) => {
  const log = createLog(env);
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, SOCKET_ENDPOINT: endpoint } = env;
  const urls = together(env.SUBTASKS_QUEUE_URL, env.EVENTS_QUEUE_URL);
  const deadUrls = together(env.SUBTASKS_DEAD_QUEUE_URL, env.EVENTS_DEAD_QUEUE_URL);
  return {
    log,
    ...(url && token ? { redis: createRedis({ url, token }, { log }) } : {}),
    ...(urls && deadUrls ? { queues: createQueues({ urls, deadUrls, log }) } : {}),
    ...(endpoint ? { push: createPush({ endpoint }) } : {}),
    ...(env.ARTIFACTS_URL ? { blobs: createS3Blobs({ url: env.ARTIFACTS_URL }) } : {}),
  } satisfies Parts;
};

const together = (subtasks: string | undefined, events: string | undefined) => (subtasks && events ? { subtasks, events } : null);

/** The context of a Lambda, with the secrets that its environment refers to. */
export const contextOf = async (variables: Record<string, string | undefined>): Promise<Composed> => {
  const env = parseEnv(await withSources(variables));
  return createContext(env, createParts(env));
};
