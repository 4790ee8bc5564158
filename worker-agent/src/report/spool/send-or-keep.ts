import type { JobContext } from '../../attempt/job-context.ts';
import { classify, type RetryOptions } from '../../api/retry.ts';
import type { RunningJob } from '../../attempt/running-job.ts';

const DIRECT_MS = 1_000;
/** How long sending is repeated before the content is stored on the disk. */
export const directMs = ({ settings }: JobContext): number => settings.directMs ?? DIRECT_MS;
/** After this time without an answer, the content is stored on the disk. */
export const SLOW_MS = 2_000;

type Ways<T> = { send(retry: RetryOptions & { signal: AbortSignal }): Promise<T>; keep(): Promise<T> };

/** Sends at once if the spool is empty and the platform answers; otherwise stores it. If that fails too, keeps trying to send. */
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
