import { randomUUID } from 'node:crypto';
import { LIMITS } from '../../schema/json.ts';
import { Alarm, jittered } from './alarm.ts';
import type { ClaimAnswer, WorkerApi } from './api.ts';
import { classify, forAtMost } from './retry.ts';
import { Slots } from './slots.ts';

export type ClaimLoopOptions = {
  api: WorkerApi;
  slots: number;
  /** Aborts when nothing more is to be claimed. */
  draining: AbortSignal;
  /** Aborts when even an open claim is to be given up. */
  stopped: AbortSignal;
  onClaimed(answer: ClaimAnswer): number;
  onError(error: unknown): void;
};

const REFUSED_PAUSE_MS = 10_000;
const ONCE_FOR_MS = 30_000;

/** Asks for work while slots are free. Claims come in with completions too: what they find sets when this loop asks again. */
export class ClaimLoop {
  readonly slots: Slots;
  readonly #options: ClaimLoopOptions;
  readonly #alarm = new Alarm();
  #notBefore = 0;

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
    this.slots = new Slots(options.slots, () => this.#alarm.ring());
  }

  isDraining(): boolean {
    return this.#options.draining.aborted;
  }

  /** Takes in the answer to a claim for which `reserved` slots were kept free. */
  received(answer: ClaimAnswer, reserved: number): void {
    const taken = this.#options.onClaimed(answer);
    this.#notBefore = answer.claimed.length < reserved ? performance.now() + jittered(answer.claim_poll_ms) : 0;
    this.slots.release(reserved - taken);
  }

  async run(): Promise<void> {
    const { draining } = this.#options;
    while (!draining.aborted) {
      const wait = this.#notBefore - performance.now();
      const limit = wait > 0 ? 0 : this.slots.reserve(LIMITS.batch);
      if (limit > 0) await this.#claim(limit, () => !draining.aborted);
      else await this.#alarm.wait(wait > 0 ? wait : Number.MAX_SAFE_INTEGER, draining);
    }
  }

  /** One claim for all slots, whether draining or not. */
  async once(): Promise<void> {
    await this.#claim(this.slots.reserve(LIMITS.batch), forAtMost(ONCE_FOR_MS));
  }

  /** The same claim_request_id until it is answered: what the server gave out in a lost answer comes again. */
  async #claim(limit: number, again: (tries: number, elapsedMs: number) => boolean): Promise<void> {
    const { api, stopped, draining, onError } = this.#options;
    try {
      const answer = await api.claim({ claim_request_id: randomUUID(), limit }, { signal: stopped, hurry: draining, again });
      this.received(answer, limit);
    } catch (error) {
      this.#notBefore = performance.now() + (classify(error) === 'retryable' ? 0 : jittered(REFUSED_PAUSE_MS));
      this.slots.release(limit);
      onError(error);
    }
  }
}
