import { AppError } from '../../schema/errors.ts';
import type { Env } from '../../schema/env.ts';
import { createCallers } from '../domain/api-keys/callers.ts';
import type { BlobStore } from '../domain/ports/blobs.ts';
import type { Context } from '../domain/context.ts';
import type { Log } from '../domain/ports/log.ts';
import type { Queues } from '../domain/ports/queues.ts';
import { createSharedReads } from '../domain/shared-reads.ts';
import { createSubmit } from '../domain/tasks/submissions.ts';
import { createAdvance } from '../domain/attempts/advance.ts';
import type { Push } from '../domain/ports/push.ts';
import { createHints } from './hints.ts';
import { createLog } from './log.ts';
import type { RedisClient } from './redis.ts';
import { createPool, isDatabaseUnavailable, mostWaiting } from './pool.ts';
import { createVault } from './vault.ts';
import { createWorkerTokens } from './worker-tokens.ts';

const refuse = () => Promise.reject(new AppError('unavailable', 'This deployment has no blob store, so it cannot store artifacts'));
/** Used when no blob store is configured: artifacts are refused, everything else works. */
const noBlobs: BlobStore = { upload: refuse, download: refuse, stat: refuse, remove: refuse };

/** The adapters, which differ between deployments. */
export type Parts = { blobs?: BlobStore; queues?: Queues; push?: Push; redis?: RedisClient; log?: Log };
export type Composed = Context & { close(): Promise<void> };

/** Composes the context; a connection is opened only when it is needed. */
export const createContext = (env: Env, parts: Parts = {}): Composed => {
  const sql = createPool(env);
  return {
    sql,
    blobs: parts.blobs ?? noBlobs,
    queues: parts.queues ?? null,
    push: parts.push ?? null,
    ...createHints(parts.redis ?? null),
    submit: createSubmit(mostWaiting(env)),
    advance: createAdvance(),
    tokens: createWorkerTokens(env.SECRET_KEY),
    callers: createCallers(sql),
    reads: createSharedReads(() => sql.of(null, { lane: 'reads' })),
    vault: createVault(env.SECRET_KEY),
    env,
    isUnavailable: isDatabaseUnavailable,
    log: parts.log ?? createLog(env),
    close: () => sql.end(),
  };
};
