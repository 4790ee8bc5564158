import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { HeartbeatAnswer, Intervals } from '../../schema/worker.ts';
import { Alarm } from './alarm.ts';
import type { WorkerApi } from './api.ts';
import { backoffMs, classify } from './retry.ts';
import type { RunningJob } from './running-job.ts';

export type HeartbeatOptions = {
  api: WorkerApi;
  intervals: Intervals;
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

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#intervals = options.intervals;
  }

  /** To be called when the worker begins to hold leases: the next beat is then due sooner. */
  leasesChanged(): void {
    this.#alarm.ring();
  }

  async run(signal: AbortSignal): Promise<void> {
    let due = performance.now();
    let beatenAt = due;
    while (!signal.aborted) {
      const left = Math.min(due, beatenAt + this.#interval()) - performance.now();
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
    const { api, held, onAnswer, onError } = this.#options;
    const leases = held().map((job) => ({ ...job.fence, ...(job.progress === undefined ? {} : { progress: job.progress }) }));
    try {
      const answer = await api.heartbeat({ leases, info: machine() }, signal);
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
