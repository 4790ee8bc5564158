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

const LOOK_MS = 250;
const RESTART_MS = 1_000;

/** A file beside this one: a source, or what was built of it. */
const beside = (name: string): URL => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);

const errorOf = (said: Exclude<FromHeartbeatThread, { answer: HeartbeatAnswer }>): Error =>
  'problem' in said ? new ApiError(said.problem, { retryAfterMs: said.retryAfterMs }) : new Error(said.message);

/** The main thread's side of the heartbeat: a thread of its own sends the beats, also while this one is busy. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #pulse = new BigInt64Array(new SharedArrayBuffer(8));
  #thread: Worker | null = null;
  #asked = 0;
  #asking: Asking[] = [];

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** To be called when leases came or went, or what is told of them. */
  leasesChanged(): void {
    this.#tell({ held: this.#held() });
  }

  /** Sends a heartbeat as soon as it can. */
  beatNow(): void {
    this.#tell({ now: true });
  }

  /** Resolves when a beat that was sent from now on is answered and taken in; rejects when it fails. */
  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asking.push({ number: ++this.#asked, resolve, reject });
      this.#tell({ asked: this.#asked });
    });
  }

  /** Keeps a thread until the signal; one that breaks is started anew, and what it does not renew meanwhile runs out. */
  async run(signal: AbortSignal): Promise<void> {
    const timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
    while (!signal.aborted) {
      await this.#live(signal).catch((error) => this.#options.onError(error));
      this.#settle(this.#asked, new Unconfirmed());
      if (!signal.aborted) await new WakeableTimer().wait(RESTART_MS, signal);
    }
    clearInterval(timer);
  }

  async #live(signal: AbortSignal): Promise<void> {
    const { held: _, onAnswer: __, onError: ___, credential, ...settings } = this.#options;
    const workerData: HeartbeatSettings = { ...settings, credential: credential(), pulse: this.#pulse, held: this.#held() };
    const thread = new Worker(beside('heartbeat-thread'), { workerData, name: 'beat' });
    const end = () => void thread.terminate();
    thread.on('message', (said: FromHeartbeatThread) => this.#hear(said));
    signal.addEventListener('abort', end, { once: true });
    this.#thread = thread;
    if (this.#asking.length > 0) this.#tell({ asked: this.#asked });
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

  #tell(message: ToHeartbeatThread): void {
    this.#thread?.postMessage(message);
  }

  /** First the leases, then the pulse: the thread renews nothing that this has not looked at. */
  #look(): void {
    const held = this.#options.held();
    for (const job of held) job.checkLease();
    Atomics.store(this.#pulse, 0, BigInt(Math.floor(clockMs())));
    if (held.length > 0) this.leasesChanged();
  }

  #hear(said: FromHeartbeatThread): void {
    const error = 'answer' in said ? null : errorOf(said);
    if ('answer' in said) this.#options.onAnswer(said.answer);
    else this.#options.onError(error);
    this.#settle(said.asked, error);
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
