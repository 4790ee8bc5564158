import { ApiError, isTransient } from '../../../schema/client/client.ts';
import { backoffMs } from '../../../schema/client/backoff.ts';
import { WakeableTimer } from '../../../schema/client/wakeable-timer.ts';
import { TimedOut, withTimeout } from '../../../schema/client/with-timeout.ts';
import type { ErrorCode } from '../../../schema/errors.ts';

/**
 * What an error of the platform means for the worker. `retryable`: repeat the request later. `lease_lost`: drop this job.
 * `revoked`: stop the worker. `refused`: the request is invalid.
 */
type Verdict = 'retryable' | 'lease_lost' | 'revoked' | 'refused';

const BY_CODE: Readonly<Record<ErrorCode, Verdict>> = {
  lease_lost: 'lease_lost',
  attempt_ended: 'lease_lost',
  subtask_not_found: 'lease_lost',
  task_not_found: 'lease_lost',
  task_ended: 'lease_lost',
  unauthenticated: 'revoked',
  worker_revoked: 'revoked',
  worker_not_found: 'revoked',
  enrolment_refused: 'revoked',
  forbidden: 'revoked',
  too_many: 'retryable',
  internal: 'retryable',
  unavailable: 'retryable',
  invalid_request: 'refused',
  invalid_json: 'refused',
  not_found: 'refused',
  artifact_not_found: 'refused',
  api_key_not_found: 'refused',
  method_not_allowed: 'refused',
  task_not_ended: 'refused',
  nothing_to_retry: 'refused',
  version_conflict: 'refused',
  body_too_large: 'refused',
  unsupported_media_type: 'refused',
  invalid_dag: 'refused',
  idempotency_key_reused: 'refused',
  artifact_mismatch: 'refused',
  artifact_not_stored: 'refused',
  enrolment_mismatch: 'refused',
};

/** For an error code that this version does not know. */
const byStatus = (status: number): Verdict => {
  if (status === 401) return 'revoked';
  return status === 409 || status === 410 ? 'lease_lost' : 'refused';
};

/** The error came from an intermediary, such as a proxy or a network with a login page. Results must survive it. */
export const isOfProxy = (error: unknown): boolean =>
  error instanceof ApiError && (error.code === 'redirected' || error.code === `http_${error.status}`);

/** Whether an error code means that the attempt is over for this worker. */
export const meansLost = (code: string): boolean => isKnown(code) && BY_CODE[code] === 'lease_lost';

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(BY_CODE, code);

/** A heartbeat or another request showed that the lease was lost, so this request was not sent. */
export class LeaseLost extends Error {
  readonly code: string;

  constructor(code = 'lease_lost') {
    super('the lease was lost');
    this.name = 'LeaseLost';
    this.code = code;
  }
}

/** The server has not confirmed yet that a lease is still valid, so nothing may be sent under it. */
export class Unconfirmed extends Error {
  constructor() {
    super('the lease may have expired, and the server has not confirmed it yet');
    this.name = 'Unconfirmed';
  }
}

/** The blob store cannot store a file at the moment. */
export class StoreUnavailable extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StoreUnavailable';
  }
}

export const classify = (error: unknown): Verdict => {
  if (
    isTransient(error) ||
    isOfProxy(error) ||
    error instanceof Unconfirmed ||
    error instanceof TimedOut ||
    error instanceof StoreUnavailable
  )
    return 'retryable';
  if (error instanceof LeaseLost) return 'lease_lost';
  if (!(error instanceof ApiError)) return 'refused';
  return isKnown(error.code) ? BY_CODE[error.code] : byStatus(error.status);
};

export type RetryOptions = {
  /** Ends the waiting; the last error is thrown. */
  signal?: AbortSignal | undefined;
  /** Runs before each try; what it throws counts as the error of that try. */
  before?: (() => Promise<void>) | undefined;
  /** Cuts the current wait short; the call is then made at least once more. */
  hurry?: AbortSignal | undefined;
  /** How long to wait for the answer to one try. Default: as long as the client waits. */
  tryMs?: number;
  /** Called before each wait; if it returns false, the last error is thrown. */
  again?: (tries: number, elapsedMs: number, error: unknown) => boolean;
  baseMs?: number;
  maxMs?: number;
  onRetry?: (error: Error, waitMs: number, tries: number) => void;
};

const LONGEST_ASKED_MS = 300_000;

/** How long the server asked to wait (Retry-After), limited in case the server sends an excessive value by mistake. */
export const askedMs = (error: unknown): number => Math.min(error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0, LONGEST_ASKED_MS);

const pause = async (ms: number, signal: AbortSignal | undefined, hurry: AbortSignal | undefined): Promise<void> => {
  const timer = new WakeableTimer();
  const ring = () => timer.wake();
  const before = hurry?.aborted ? undefined : hurry;
  before?.addEventListener('abort', ring, { once: true });
  await timer.wait(ms, signal);
  before?.removeEventListener('abort', ring);
};

/** Repeats a call while its error is retryable. Any other error is thrown unchanged. */
export const retrying = async <T>(call: () => Promise<T>, options: RetryOptions = {}): Promise<T> => {
  const { signal, before, hurry, tryMs, again = () => true, baseMs = 200, maxMs = 10_000, onRetry } = options;
  const startedAt = performance.now();
  const tryOnce = async () => {
    await before?.();
    return call();
  };
  for (let tries = 1; ; tries++) {
    try {
      // A try that takes too long is not cancelled: it may still take effect on the server.
      return await (tryMs === undefined ? tryOnce() : withTimeout(tryMs, tryOnce));
    } catch (error) {
      if (classify(error) !== 'retryable' || signal?.aborted || !again(tries, performance.now() - startedAt, error)) throw error;
      const wait = backoffMs(tries, { baseMs, maxMs }, askedMs(error));
      onRetry?.(error as Error, wait, tries);
      await pause(wait, signal, hurry);
      if (signal?.aborted) throw error;
    }
  }
};

/** Resolves when the promise does, or when the signal aborts. */
export const orAborted = async <T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> => {
  if (signal.aborted) return undefined;
  let stop = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', stop));
};

export const forAtMost = (ms: number) => (_: number, elapsedMs: number, error: unknown) => elapsedMs + askedMs(error) < ms;
