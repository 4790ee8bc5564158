import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { HeartbeatAnswer, Intervals } from '../../schema/worker.ts';
import { Alarm } from '../../schema/alarm.ts';
import type { WorkerApi } from './api.ts';
import { backoffMs, classify } from './retry.ts';
import type { RunningJob } from './running-job.ts';

export type HeartbeatOptions = {
  api: WorkerApi;
  intervals: Intervals;
  slots: number;
  held: () => readonly RunningJob[];
  onAnswer(answer: HeartbeatAnswer): void;
  onError(error: unknown): void;
};

const FIRST_RETRY_MS = 1_000;

const machine = () => ({
  load: Number((loadavg()[0] ?? 0).toFixed(2)),
  cpus: availableParallelism(),
  memory_percent: Math.round((1 - freemem() / totalmem()) * 100),
  pid: process.pid,
});

/** Says that the worker lives and renews what it holds, at the intervals that the server sets. */
export class HeartbeatLoop {
  readonly #options: HeartbeatOptions;
  readonly #alarm = new Alarm();
  #intervals: Intervals;
  #failures = 0;
  #isWanted = false;
  #saidFull = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#intervals = options.intervals;
  }

  /**
   * To be called when leases came or went. With leases the next beat is due sooner; one that was said to be busy and is so no longer
   * beats at once: the server rings only those whom it believes to be free.
   */
  leasesChanged(): void {
    const { held, slots } = this.#options;
    this.#isWanted ||= this.#saidFull && held().length < slots;
    this.#alarm.ring();
  }

  /** Beats as soon as it can, and once for many such wishes. */
  beatNow(): void {
    this.#isWanted = true;
    this.#alarm.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    let due = performance.now();
    let beatenAt = due;
    while (!signal.aborted) {
      const left = this.#isWanted ? 0 : Math.min(due, beatenAt + this.#interval()) - performance.now();
      if (left > 0) {
        await this.#alarm.wait(left, signal);
        continue;
      }
      beatenAt = performance.now();
      await this.beat(signal);
      due = beatenAt + this.#pause();
    }
  }

  async beat(signal: AbortSignal): Promise<void> {
    const { api, slots, held, onAnswer, onError } = this.#options;
    this.#isWanted = false;
    const leases = held().map((job) => ({ ...job.fence, ...(job.progress === undefined ? {} : { progress: job.progress }) }));
    this.#saidFull = leases.length >= slots;
    try {
      const answer = await api.heartbeat({ leases, slots, info: machine() }, signal);
      this.#failures = 0;
      this.#intervals = answer.intervals;
      onAnswer(answer);
    } catch (error) {
      if (signal.aborted) return;
      this.#failures += classify(error) === 'retryable' ? 1 : 0;
      onError(error);
    }
  }

  /** A third of the lease at most, whatever is said: two beats may get lost. */
  #interval(): number {
    const { busy_heartbeat_ms, idle_heartbeat_ms, lease_ms } = this.#intervals;
    return this.#options.held().length > 0 ? Math.min(busy_heartbeat_ms, lease_ms / 3) : idle_heartbeat_ms;
  }

  #pause(): number {
    const interval = this.#interval();
    return this.#failures === 0 ? interval : Math.min(interval, backoffMs(this.#failures, FIRST_RETRY_MS, interval, null));
  }
}
