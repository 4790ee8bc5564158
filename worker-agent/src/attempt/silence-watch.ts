import type { RunningJob } from './running-job.ts';

/** How long an agent may be silent, in seconds; 0 for no limit. */
export type Silences = { firstEventSeconds: number; idleSeconds: number };

const ADVICE = 'let it print output or report progress more often, or give the subtask a larger limit';

/** Stops a job whose agent is silent for too long, after its start or between two events. */
export class SilenceWatch {
  readonly #job: Pick<RunningJob, 'stop'>;
  readonly #silences: Silences;
  readonly #onOverdue: (message: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #events = 0;

  constructor(job: Pick<RunningJob, 'stop'>, silences: Silences, onOverdue: (message: string) => void) {
    this.#job = job;
    this.#silences = silences;
    this.#onOverdue = onOverdue;
    this.#arm(silences.firstEventSeconds || silences.idleSeconds);
  }

  /** Call this for each event of the agent. */
  activity(): void {
    if (this.#events++ === 0) this.#arm(this.#silences.idleSeconds);
    else this.#timer?.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(seconds: number): void {
    this.end();
    if (seconds > 0) this.#timer = setTimeout(() => this.#check(), seconds * 1_000);
  }

  /** After this process was blocked, its timers run before it reads what the agent printed meanwhile, so this lets it read first. */
  #check(): void {
    const before = this.#events;
    setImmediate(() => {
      if (this.#events === before && this.#timer !== undefined && this.#job.stop('timed_out')) this.#onOverdue(this.#message);
    });
  }

  get #message(): string {
    const { firstEventSeconds, idleSeconds } = this.#silences;
    if (this.#events === 0 && firstEventSeconds > 0)
      return `it was silent for ${firstEventSeconds} s after its start (first_event_timeout_seconds) and was stopped; ${ADVICE}`;
    return `it was silent for ${idleSeconds} s (idle_timeout_seconds) and was stopped; ${ADVICE}`;
  }
}
