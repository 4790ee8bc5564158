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
class CircuitBreaker implements Breaker {
  readonly #failures: number;
  readonly #restMs: number;
  readonly #now: () => number;
  readonly #onChange: BreakerSettings['onChange'];
  #inRow = 0;
  #failure: Error | null = null;
  #openUntil: number | null = null;
  #probing = false;

  constructor({ failures, restMs, now = () => performance.now(), onChange }: BreakerSettings) {
    this.#failures = failures;
    this.#restMs = restMs;
    this.#now = now;
    this.#onChange = onChange;
  }

  run<T>(work: () => Promise<T>): Promise<T> | null {
    if (this.#openUntil !== null && (this.#probing || this.#now() < this.#openUntil)) return null;
    return this.#attempt(work, this.#openUntil !== null);
  }

  state(): BreakerState {
    if (this.#openUntil === null) return 'closed';
    return this.#probing ? 'half_open' : 'open';
  }

  failure(): Error | null {
    return this.#failure;
  }

  async #attempt<T>(work: () => Promise<T>, isProbe: boolean): Promise<T> {
    if (isProbe) this.#probing = true;
    try {
      const answer = await work();
      this.#succeed();
      return answer;
    } catch (error) {
      this.#fail(error as Error, isProbe);
      throw error;
    } finally {
      if (isProbe) this.#probing = false;
    }
  }

  #succeed() {
    if (this.#openUntil !== null) this.#onChange?.(null);
    this.#openUntil = null;
    this.#failure = null;
    this.#inRow = 0;
  }

  /** The failure of a call that began before it opened changes nothing: only the probe reopens it. */
  #fail(error: Error, isProbe: boolean) {
    this.#inRow++;
    const opens = this.#openUntil === null ? this.#inRow >= this.#failures : isProbe;
    if (opens && this.#openUntil === null) this.#onChange?.(error);
    if (opens) this.#openUntil = this.#now() + this.#restMs;
    this.#failure = error;
  }
}

export const createBreaker = (settings: BreakerSettings): Breaker => new CircuitBreaker(settings);
