import type { Claimed } from '../../../schema/attempt.ts';
import { LIMITS } from '../../../schema/json.ts';
import { clip } from '../report/clean.ts';
import { accepts, ALSO_STOPS, type Phase, type StopReason } from './job-state.ts';
import type { Fenced } from '../api/worker-api.ts';
import type { Lease, LeaseKeeper } from '../heartbeat/lease.ts';
import { forAtMost, LeaseLost, type RetryOptions, Unconfirmed } from '../api/retry.ts';

type Progress = { percent?: number; message?: string };

/** A leased subtask in this process, from its claim until the server has answered the report of its ending. */
export class RunningJob {
  readonly claimed: Claimed;
  readonly lease: Lease;
  readonly trees = new Map<number, string>();
  readonly #heartbeat: LeaseKeeper;
  readonly #work = new AbortController();
  readonly #urgent = new AbortController();
  readonly #sending = new AbortController();
  #reason: StopReason | null = null;
  #progress: Progress | undefined;
  #step: Exclude<Phase, 'confirming'> = 'waiting';
  /** How many heartbeats ask about the lease. */
  #asking = 0;

  constructor(claimed: Claimed, lease: Lease, heartbeat: LeaseKeeper) {
    this.claimed = claimed;
    this.lease = lease;
    this.#heartbeat = heartbeat;
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

  /** Aborts when the tool should already have stopped: another worker may be doing the same work. */
  get urgent(): AbortSignal {
    return this.#urgent.signal;
  }

  get reason(): StopReason | null {
    this.checkLease();
    return this.#reason;
  }

  get progress(): Progress | undefined {
    return this.#progress;
  }

  report({ percent, message }: Progress): void {
    this.#progress = {
      ...(percent === undefined || Number.isNaN(percent) ? {} : { percent: Math.min(100, Math.max(0, percent)) }),
      ...(message === undefined ? {} : { message: clip(message, LIMITS.reason_characters) }),
    };
  }

  /** Records a process that the tool started, and the mark of its descendants. Returns a function that removes it again. */
  addTree(root: number, mark: string): () => void {
    this.trees.set(root, mark);
    this.#heartbeat.leasesChanged();
    return () => {
      this.trees.delete(root);
      this.#heartbeat.leasesChanged();
    };
  }

  get isWorking(): boolean {
    return this.#step === 'working';
  }

  get #phase(): Phase {
    return this.#step === 'reporting' && this.#asking > 0 ? 'confirming' : this.#step;
  }

  beginWork(): void {
    this.#step = 'working';
    this.#heartbeat.leasesChanged();
  }

  /** The work is over and its ending is being reported. From now on the lease state in a heartbeat counts only if the job asked for it. */
  beginReport(): void {
    this.checkLease();
    this.#step = 'reporting';
  }

  /** Stops the work when another worker may have the subtask by now. */
  checkLease(): void {
    if (this.isWorking && (this.lease.isFenced || this.lease.isOver)) this.stop('fenced');
  }

  /** Throws when the work is over. Call it right before a process is started: the tool may not have noticed that it has to stop. */
  assertWorking(): void {
    if (this.reason !== null || !this.isWorking) throw new Error('the work of this attempt is over; no more processes are started for it');
  }

  /** Confirms the lease; await it before anything is sent for the attempt. Throws LeaseLost, or the error of the heartbeat. */
  async confirm(): Promise<void> {
    if (this.lease.isOver) {
      this.#asking++;
      await this.#heartbeat.ask().finally(() => this.#asking--);
    }
    if (this.#sending.signal.aborted) throw new LeaseLost();
    if (this.lease.isOver) throw new Unconfirmed();
  }

  /** The retry options for requests of the attempt: each try first confirms the lease. */
  retry(forMs: number): RetryOptions & { signal: AbortSignal } {
    return { signal: this.sending, before: () => this.confirm(), again: forAtMost(forMs) };
  }

  /** Returns whether it changed anything. */
  stop(reason: StopReason): boolean {
    if (!accepts(this.#phase, this.#reason, reason)) return false;
    this.#reason = reason;
    if (reason === 'fenced') this.lease.fence();
    const stops = ALSO_STOPS[reason];
    if (stops.includes('sending')) this.#sending.abort();
    if (stops.includes('urgent')) this.#urgent.abort();
    this.#work.abort();
    return true;
  }
}
