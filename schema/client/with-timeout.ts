/** A call did not end within its time limit; whether it had an effect is unknown. */
export class TimedOut extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.name = 'TimedOut';
  }
}

export type TimeoutOptions<L> = {
  /** An abort also ends the wait; its reason is thrown. */
  signal?: AbortSignal | undefined;
  /** Provides the outcome after a timeout; if omitted, TimedOut is thrown. */
  onTimeout?: () => L;
};

/**
 * Runs work and waits at most `ms` for it. The signal passed to the work aborts after that time or when `signal` aborts; work that
 * ignores it continues, and its outcome is lost. No timer and no listener is left behind.
 */
export const withTimeout = async <T, L = never>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  { signal: outer, onTimeout }: TimeoutOptions<L> = {},
): Promise<T | L> => {
  outer?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  let late: TimedOut | null = null;
  const timer = setTimeout(() => {
    late = new TimedOut(ms);
    controller.abort(late);
  }, ms);
  const stop = () => controller.abort(outer?.reason);
  outer?.addEventListener('abort', stop, { once: true });
  // Registered before the work starts, so that the work's own error on an abort comes second.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([aborted, work(signal)]);
  } catch (error) {
    if (onTimeout !== undefined && late !== null && error === late) return onTimeout();
    throw error;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', stop);
  }
};
