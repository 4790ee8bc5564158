import type { Claimed } from '../../schema/attempt.ts';
import { clip } from './clean.ts';
import type { Fenced } from './api.ts';

/** Why a job is stopped: it took too long, the lease is gone, a person wants it back, or the worker was removed. */
type StopReason = 'timed_out' | 'lost' | 'released' | 'revoked';
type Progress = { percent?: number; message?: string };

/** A leased subtask in this process, from its claim until the server has answered its ending. */
export class RunningJob {
  readonly claimed: Claimed;
  readonly #work = new AbortController();
  readonly #sending = new AbortController();
  #reason: StopReason | null = null;
  #progress: Progress | undefined;
  #isReporting = false;

  constructor(claimed: Claimed) {
    this.claimed = claimed;
  }

  get fence(): Fenced {
    const { subtask_id, lease_token, attempt } = this.claimed;
    return { subtask_id, lease_token, attempt };
  }

  /** Aborts when the tool has to stop. */
  get work(): AbortSignal {
    return this.#work.signal;
  }

  /** Aborts when nothing more may be sent for the attempt. */
  get sending(): AbortSignal {
    return this.#sending.signal;
  }

  get reason(): StopReason | null {
    return this.#reason;
  }

  get progress(): Progress | undefined {
    return this.#progress;
  }

  report({ percent, message }: Progress): void {
    this.#progress = {
      ...(percent === undefined || Number.isNaN(percent) ? {} : { percent: Math.min(100, Math.max(0, percent)) }),
      ...(message === undefined ? {} : { message: clip(message, 500) }),
    };
  }

  /** The work is over and its ending is on its way: what a heartbeat says of the lease no longer matters. */
  beginReport(): void {
    this.#isReporting = true;
  }

  /** Answers whether it changed anything. */
  stop(reason: StopReason): boolean {
    const isFinal = this.#reason === 'lost' || this.#reason === 'revoked';
    if (isFinal || this.#reason === reason || (this.#isReporting && reason !== 'revoked')) return false;
    this.#reason = reason;
    if (reason === 'lost' || reason === 'revoked') this.#sending.abort();
    this.#work.abort();
    return true;
  }
}
