import type { JobContext } from '../job-context.ts';
import { classify, type RetryOptions } from '../retry.ts';
import type { RunningJob } from '../running-job.ts';

/** For so long a platform that does not answer is asked again before something is kept for later. */
export const DIRECT_MS = 1_000;
/** From when on an answer counts as one that may not come. */
export const SLOW_MS = 2_000;

type Ways<T> = { send(retry: RetryOptions & { signal: AbortSignal }): Promise<T>; keep(): Promise<T> };

/** Sends at once where nothing waits and the platform answers; else keeps it. Where that cannot be done either, goes on trying to send. */
export const sendOrKeep = async <T>({ spool, leaving }: JobContext, job: RunningJob, { send, keep }: Ways<T>): Promise<T> => {
  if (spool.isEmpty) {
    try {
      return await send({ ...job.retry(DIRECT_MS), tryMs: SLOW_MS });
    } catch (error) {
      if (classify(error) !== 'retryable' || job.sending.aborted) throw error;
    }
  }
  try {
    return await keep();
  } catch {
    return await send({ ...job.retry(0), again: () => !leaving.aborted });
  }
};
