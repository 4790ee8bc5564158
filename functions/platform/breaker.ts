export type BreakerState = 'closed' | 'open' | 'half_open';
export type BreakerSettings = {
  /** This number of failures in a row opens it. */
  failures: number;
  /** How long it stays open before one call is let through. */
  restMs: number;
  /** A monotonic clock. */
  now?: () => number;
  /** Called when it opens, with what failed, and when it closes again, with null. */
  onChange?: (failure: Error | null) => void;
};
export type Breaker = {
  /** Null while calls are blocked; `failure` then returns the reason. */
  run<T>(work: () => Promise<T>): Promise<T> | null;
  state(): BreakerState;
  failure(): Error | null;
};

/**
 *   closed ─(failures in a row)─► open ─(restMs)─► half open ─► closed
 *                                  ▲                  │ the one call that was let through fails
 *                                  └──────────────────┘
 */
export const createBreaker = ({ failures, restMs, now = () => performance.now(), onChange }: BreakerSettings): Breaker => {
  let inRow = 0;
  let failure: Error | null = null;
  let openUntil: number | null = null;
  let probing = false;

  const succeed = () => {
    if (openUntil !== null) onChange?.(null);
    openUntil = null;
    failure = null;
    inRow = 0;
  };
  /** The failure of a call that began before it opened changes nothing: only the probe reopens it. */
  const fail = (error: Error, isProbe: boolean) => {
    inRow++;
    const opens = openUntil === null ? inRow >= failures : isProbe;
    if (opens && openUntil === null) onChange?.(error);
    if (opens) openUntil = now() + restMs;
    failure = error;
  };
  const attempt = async <T>(work: () => Promise<T>, isProbe: boolean): Promise<T> => {
    if (isProbe) probing = true;
    try {
      const answer = await work();
      succeed();
      return answer;
    } catch (error) {
      fail(error as Error, isProbe);
      throw error;
    } finally {
      if (isProbe) probing = false;
    }
  };
  return {
    run: (work) => {
      if (openUntil !== null && (probing || now() < openUntil)) return null;
      return attempt(work, openUntil !== null);
    },
    state: () => {
      if (openUntil === null) return 'closed';
      return probing ? 'half_open' : 'open';
    },
    failure: () => failure,
  };
};
