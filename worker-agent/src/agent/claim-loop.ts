import { randomUUID } from 'node:crypto';
import { LIMITS } from '../../../schema/json.ts';
import { jittered } from '../../../schema/client/backoff.ts';
import { WakeableTimer } from '../../../schema/client/wakeable-timer.ts';
import type { ClaimAnswer, WorkerApi } from '../api/worker-api.ts';
import { clockMs } from '../heartbeat/clock.ts';
import { classify, forAtMost, type RetryOptions } from '../api/retry.ts';
import { Slots } from './slots.ts';

export type ClaimLoopOptions = {
  api: WorkerApi;
  slots: number;
  tools: readonly string[];
  /** Whether results could be kept just now. */
  canClaim(): boolean;
  /** Aborts when nothing more is to be claimed. */
  draining: AbortSignal;
  /** Aborts when even an open claim is to be given up. */
  stopped: AbortSignal;
  /** With when it was asked first: leases count from then. Answers how many of them are new. */
  onClaimed(answer: ClaimAnswer, sentAtMs: number): number;
  onError(error: unknown): void;
};

const REFUSED_PAUSE_MS = 10_000;
const ONCE_FOR_MS = 30_000;
/** With a doorbell: for rings that get lost. */
const SLOW_POLL_MS = 30_000;

/** Asks for work while slots are free. Claims come in with completions too: what they find sets when this loop asks again. */
export class ClaimLoop {
  readonly slots: Slots;
  readonly #options: ClaimLoopOptions;
  readonly #timer = new WakeableTimer();
  #notBefore = 0;
  /** Since the last claim was sent: its answer may be older. */
  #isRung = false;
  #pollMs = 0;
  #hasDoorbell = false;
  /** Claims whose answers got lost. */
  readonly #unanswered: string[] = [];

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
    this.slots = new Slots(options.slots, () => this.#timer.wake());
  }

  /** Something may be ready: asks at once, if a slot is free. */
  ring(): void {
    this.#isRung = true;
    this.#timer.wake();
  }

  /** To be called when the answer to a claim got lost: what was given out in it is asked for, before anything new. */
  askAgain(claimRequestId: string): void {
    this.#unanswered.push(claimRequestId);
    this.ring();
  }

  /** Says whether the server can ring. It may have done so in vain before, so this asks at once; without, at the server's pace again. */
  setDoorbell(works: boolean): void {
    this.#hasDoorbell = works;
    if (works) return this.ring();
    this.#notBefore = Math.min(this.#notBefore, performance.now() + jittered(this.#pollMs));
    this.#timer.wake();
  }

  /** Whether more work is wanted just now. */
  isWanting(): boolean {
    return !this.#options.draining.aborted && this.#options.canClaim();
  }

  /** Takes in the answer to a claim for which `reserved` slots were kept free. */
  received(answer: ClaimAnswer, reserved: number, sentAtMs: number): void {
    const taken = this.#options.onClaimed(answer, sentAtMs);
    this.#pollMs = answer.claim_poll_ms;
    this.#notBefore = answer.claimed.length < reserved ? performance.now() + jittered(this.#pause(answer)) : 0;
    this.slots.release(reserved - taken);
  }

  /** Nobody rings when a paused worker may go on, or when the server sees a slot in use that is free. */
  #pause({ empty_reason, claim_poll_ms }: ClaimAnswer): number {
    const isRung = this.#hasDoorbell && (empty_reason === null || empty_reason === 'nothing_ready');
    return isRung ? Math.max(claim_poll_ms, SLOW_POLL_MS) : claim_poll_ms;
  }

  async run(): Promise<void> {
    const { draining } = this.#options;
    while (!draining.aborted) {
      const wait = this.#isRung ? 0 : this.#notBefore - performance.now();
      const limit = wait > 0 || !this.#options.canClaim() ? 0 : this.slots.reserve(LIMITS.batch);
      if (limit > 0) await this.#claim(limit, () => !draining.aborted);
      else await this.#timer.wait(wait > 0 ? wait : Number.MAX_SAFE_INTEGER, draining);
    }
  }

  /** One claim for all slots, whether draining or not. */
  async once(): Promise<void> {
    await this.#claim(this.slots.reserve(LIMITS.batch), forAtMost(ONCE_FOR_MS));
  }

  /**
   * The same claim_request_id until it is answered: what the server gave out in a lost answer comes again. It is given up where a
   * result could no longer be kept: a repeat may bring what was not given out before.
   */
  async #claim(limit: number, again: NonNullable<RetryOptions['again']>): Promise<void> {
    const { api, tools, stopped, draining, canClaim, onError } = this.#options;
    const before = async () => {
      if (!canClaim()) throw new Error('results cannot be kept just now, so no work is claimed');
    };
    this.#isRung = false;
    const sentAt = clockMs();
    const lost = this.#unanswered.shift();
    try {
      const answer = await api.claim(
        { claim_request_id: lost ?? randomUUID(), limit, tools: [...tools], repeated: lost !== undefined },
        { signal: stopped, before, hurry: draining, again },
      );
      this.received(answer, limit, sentAt);
      this.#isRung ||= lost !== undefined; // what is ready since was not looked for
    } catch (error) {
      this.#notBefore = performance.now() + (classify(error) === 'retryable' ? 0 : jittered(REFUSED_PAUSE_MS));
      this.slots.release(limit);
      onError(error);
    }
  }
}
