import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { WakeableTimer } from '../../../schema/client/wakeable-timer.ts';
import { ApiError } from '../../../schema/client/client.ts';
import type { HeartbeatAnswer } from '../../../schema/worker.ts';
import type { HeartbeatSettings, FromHeartbeatThread, Held, ToHeartbeatThread } from './heartbeat-messages.ts';
import { clockMs } from './clock.ts';
import { Unconfirmed } from '../api/retry.ts';
import type { RunningJob } from '../attempt/running-job.ts';

export type HeartbeatOptions = Omit<HeartbeatSettings, 'pulse' | 'credential' | 'held'> & {
  credential: () => string;
  held: () => readonly RunningJob[];
  onAnswer(answer: HeartbeatAnswer): void;
  onError(error: unknown): void;
};
type Asking = { number: number; resolve: () => void; reject: (error: Error) => void };

const CHECK_MS = 250;
const RESTART_MS = 1_000;

/** A module next to this one, as source or as built. */
const beside = (name: string): URL => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);

const errorOf = (reply: Exclude<FromHeartbeatThread, { answer: HeartbeatAnswer }>): Error =>
  'problem' in reply ? new ApiError(reply.problem, { retryAfterMs: reply.retryAfterMs }) : new Error(reply.message);

/** The main thread's side of the heartbeat: a separate thread sends the beats, even while the main thread is busy. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #pulse = new BigInt64Array(new SharedArrayBuffer(8));
  #thread: Worker | null = null;
  #asked = 0;
  #asking: Asking[] = [];

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Call this when leases, or what is reported with them, have changed. */
  leasesChanged(): void {
    this.#post({ held: this.#held() });
  }

  /** Sends a heartbeat as soon as possible. */
  beatNow(): void {
    this.#post({ now: true });
  }

  /** Resolves when a beat sent after this call has been answered and its answer processed; rejects when the beat fails. */
  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asking.push({ number: ++this.#asked, resolve, reject });
      this.#post({ asked: this.#asked });
    });
  }

  /** Keeps the thread running until the signal aborts. A crashed thread is started again; leases that are not renewed meanwhile expire. */
  async run(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#checkLeases(), CHECK_MS);
    this.#checkLeases();
    while (!signal.aborted) {
      await this.#runThread(signal).catch((error) => this.#options.onError(error));
      this.#settle(this.#asked, new Unconfirmed());
      if (!signal.aborted) await new WakeableTimer().wait(RESTART_MS, signal);
    }
    clearInterval(timer);
  }

  async #runThread(signal: AbortSignal): Promise<void> {
    const { held: _, onAnswer: __, onError: ___, credential, ...settings } = this.#options;
    const workerData: HeartbeatSettings = { ...settings, credential: credential(), pulse: this.#pulse, held: this.#held() };
    const thread = new Worker(beside('heartbeat-thread'), { workerData, name: 'beat' });
    const end = () => void thread.terminate();
    thread.on('message', (reply: FromHeartbeatThread) => this.#receive(reply));
    signal.addEventListener('abort', end, { once: true });
    this.#thread = thread;
    if (this.#asking.length > 0) this.#post({ asked: this.#asked });
    try {
      await once(thread, 'exit');
    } finally {
      this.#thread = null;
      signal.removeEventListener('abort', end);
    }
  }

  #held(): Held[] {
    return this.#options
      .held()
      .map(({ fence, progress, isWorking, trees, lease }) => ({ fence, progress, isWorking, trees, cells: lease.cells }));
  }

  #post(message: ToHeartbeatThread): void {
    this.#thread?.postMessage(message);
  }

  /** Checks the leases before it sets the pulse, so that the thread renews no lease that has not been checked. */
  #checkLeases(): void {
    const held = this.#options.held();
    for (const job of held) job.checkLease();
    Atomics.store(this.#pulse, 0, BigInt(Math.floor(clockMs())));
    if (held.length > 0) this.leasesChanged();
  }

  #receive(reply: FromHeartbeatThread): void {
    const error = 'answer' in reply ? null : errorOf(reply);
    if ('answer' in reply) this.#options.onAnswer(reply.answer);
    else this.#options.onError(error);
    this.#settle(reply.asked, error);
  }

  #settle(asked: number, error: Error | null): void {
    const due = this.#asking.filter(({ number }) => number <= asked);
    this.#asking = this.#asking.filter(({ number }) => number > asked);
    for (const { resolve, reject } of due) {
      if (error === null) resolve();
      else reject(error);
    }
  }
}
