import type { RunningJob } from './running-job.ts';

/** How long nothing may be heard of an agent, in seconds; 0 for as long as it likes. */
export type Silences = { firstEventSeconds: number; idleSeconds: number };

const WHAT_HELPS = 'let it print or tell its progress more often, or give the subtask a larger one';

/** Stops a job of which nothing is heard for too long: at first, or between two signs of life. */
export class SilenceWatch {
  readonly #job: Pick<RunningJob, 'stop'>;
  readonly #silences: Silences;
  readonly #onOverdue: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #signs = 0;

  constructor(job: Pick<RunningJob, 'stop'>, silences: Silences, onOverdue: (message: string) => void) {
    this.#job = job;
    this.#silences = silences;
    this.#onOverdue = onOverdue;
    this.#arm(silences.firstEventSeconds || silences.idleSeconds);
  }

  /** A sign of life. */
  heard(): void {
    if (this.#signs++ === 0) this.#arm(this.#silences.idleSeconds);
    else this.#timer?.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(seconds: number): void {
    this.end();
    if (seconds > 0) this.#timer = setTimeout(() => this.#suspect(), seconds * 1_000);
  }

  /** After a stall of this process its timers come before what was printed meanwhile: that is read first. */
  #suspect(): void {
    const before = this.#signs;
    setImmediate(() => {
      if (this.#signs === before && this.#timer !== undefined && this.#job.stop('timed_out')) this.#onOverdue(this.#message);
    });
  }

  get #message(): string {
    const { firstEventSeconds, idleSeconds } = this.#silences;
    if (this.#signs === 0 && firstEventSeconds > 0)
      return `nothing was heard of it within ${firstEventSeconds} s of its start (first_event_timeout_seconds), so it was stopped; ${WHAT_HELPS}`;
    return `nothing was heard of it for ${idleSeconds} s (idle_timeout_seconds), so it was stopped; ${WHAT_HELPS}`;
  }
}
