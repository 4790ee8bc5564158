import type { JobContext } from '../../attempt/job-context.ts';
import { classify, type RetryOptions } from '../../api/retry.ts';
import type { RunningJob } from '../../attempt/running-job.ts';

const DIRECT_MS = 1_000;
/** For so long what can be kept is sent again first. */
export const directMs = ({ settings }: JobContext): number => settings.directMs ?? DIRECT_MS;
/** From when on an answer counts as one that may not come. */
export const SLOW_MS = 2_000;

type Ways<T> = { send(retry: RetryOptions & { signal: AbortSignal }): Promise<T>; keep(): Promise<T> };

/** Sends at once where nothing waits and the platform answers; else keeps it. Where that cannot be done either, goes on trying to send. */
export const sendOrKeep = async <T>(ctx: JobContext, job: RunningJob, { send, keep }: Ways<T>): Promise<T> => {
  const { spool, leaving } = ctx;
  if (spool.isEmpty) {
    try {
      return await send({ ...job.retry(directMs(ctx)), tryMs: SLOW_MS });
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
