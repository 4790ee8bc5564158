import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { HeartbeatAnswer, Intervals } from '../../../schema/worker.ts';
import { backoffMs } from '../../../schema/client/backoff.ts';
import { WakeableTimer } from '../../../schema/client/wakeable-timer.ts';
import { PRODUCT } from '../../../schema/product.ts';
import type { WorkerApi } from '../api/worker-api.ts';
import type { Held } from './heartbeat-messages.ts';
import { clockMs } from './clock.ts';
import { Lease } from './lease.ts';
import { askedMs, classify } from '../api/retry.ts';

export type HeartbeatLoopOptions = {
  api: WorkerApi;
  intervals: Intervals;
  slots: number;
  held: () => readonly Held[];
  /** False while the main thread is blocked and could not process the answer: then no lease is renewed. */
  mayBeat: () => boolean;
  /** `asked` is the number of the last request for confirmation that was made before this beat. */
  onAnswer(answer: HeartbeatAnswer, asked: number): void;
  onError(error: unknown, asked: number): void;
};

const FIRST_RETRY_MS = 1_000;

const machine = () => ({
  load: Number((loadavg()[0] ?? 0).toFixed(2)),
  cpus: availableParallelism(),
  memory_percent: Math.round((1 - freemem() / totalmem()) * 100),
  pid: process.pid,
  agent_version: PRODUCT.version,
});

const renew = (named: readonly Held[], { leases, intervals }: HeartbeatAnswer, sentAt: number): void => {
  for (const { subtask_id, attempt, state, left_ms } of leases) {
    const it = named.find(({ fence }) => fence.subtask_id === subtask_id && fence.attempt === attempt);
    if (it !== undefined && state === 'renewed') new Lease(it.cells).extend(sentAt, left_ms ?? intervals.lease_ms);
  }
};

/** Reports that the worker is running and renews its leases, at the intervals that the server sets. */
export class HeartbeatLoop {
  readonly #options: HeartbeatLoopOptions;
  readonly #timer = new WakeableTimer();
  #intervals: Intervals;
  #failures = 0;
  #askedMs = 0;
  #isWanted = false;
  #asked = 0;
  #reportedFull = false;

  constructor(options: HeartbeatLoopOptions) {
    this.#options = options;
    this.#intervals = options.intervals;
  }

  /**
   * Call this when leases were added or removed. With leases the next beat is due sooner. A worker that reported all slots as used and
   * now has a free one beats at once, since the server rings only workers with free slots.
   */
  leasesChanged(): void {
    const { held, slots } = this.#options;
    this.#isWanted ||= this.#reportedFull && held().length < slots;
    this.#timer.wake();
  }

  /** Sends a heartbeat as soon as possible; several calls share one. */
  beatNow(): void {
    this.#isWanted = true;
    this.#timer.wake();
  }

  /** The next beat answers this request for confirmation. It is due at once, unless the server did not answer the last beat. */
  ask(asked: number): void {
    this.#asked = asked;
    if (this.#failures === 0) this.beatNow();
  }

  async run(signal: AbortSignal): Promise<void> {
    let due = performance.now();
    let beatenAt = due;
    while (!signal.aborted) {
      const left = this.#isWanted ? 0 : Math.min(due, beatenAt + this.#interval()) - performance.now();
      if (left > 0) {
        await this.#timer.wait(left, signal);
        continue;
      }
      beatenAt = performance.now();
      await this.beat(signal);
      due = Math.max(beatenAt + this.#pause(), performance.now() + this.#askedMs);
    }
  }

  async beat(signal: AbortSignal): Promise<void> {
    const { api, slots, held, mayBeat, onAnswer, onError } = this.#options;
    this.#isWanted = false;
    if (!mayBeat()) return;
    const asked = this.#asked;
    const named = held();
    const leases = named.map(({ fence, progress }) => ({ ...fence, ...(progress === undefined ? {} : { progress }) }));
    this.#reportedFull = leases.length >= slots;
    const sentAt = clockMs();
    try {
      const answer = await api.heartbeat({ leases, slots, info: machine() }, signal);
      this.#failures = 0;
      this.#askedMs = 0;
      this.#intervals = answer.intervals;
      renew(named, answer, sentAt);
      onAnswer(answer, asked);
    } catch (error) {
      if (signal.aborted) return;
      this.#failures += classify(error) === 'retryable' ? 1 : 0;
      this.#askedMs = askedMs(error);
      onError(error, asked);
    }
  }

  /** At most a third of the lease, whatever the server sets, so that two beats may get lost. */
  #interval(): number {
    const { busy_heartbeat_ms, idle_heartbeat_ms, lease_ms } = this.#intervals;
    return this.#options.held().length > 0 ? Math.min(busy_heartbeat_ms, lease_ms / 3) : idle_heartbeat_ms;
  }

  #pause(): number {
    const interval = this.#interval();
    return this.#failures === 0 ? interval : Math.min(interval, backoffMs(this.#failures, { baseMs: FIRST_RETRY_MS, maxMs: interval }));
  }
}
