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
  /** Whether results could be stored on the disk at the moment. */
  canClaim(): boolean;
  /** Aborts when the worker must claim no more. */
  draining: AbortSignal;
  /** Aborts when the worker must also give up a claim that is in progress. */
  stopped: AbortSignal;
  /** `sentAtMs` is when the claim was first sent: leases count from then. Returns how many of the claimed subtasks are new. */
  onClaimed(answer: ClaimAnswer, sentAtMs: number): number;
  onError(error: unknown): void;
};

const REFUSED_PAUSE_MS = 10_000;
const ONCE_FOR_MS = 30_000;
/** How often to ask when the server can ring: a ring may get lost. */
const SLOW_POLL_MS = 30_000;

/** Claims subtasks while slots are free. Completions carry claims too; their answers also decide when this loop claims again. */
export class ClaimLoop {
  readonly slots: Slots;
  readonly #options: ClaimLoopOptions;
  readonly #timer = new WakeableTimer();
  #notBefore = 0;
  /** True when the server rang after the last claim was sent: the answer to that claim may not include the new subtask. */
  #isRung = false;
  #pollMs = 0;
  #hasDoorbell = false;
  /** The ids of claims whose answers got lost. */
  readonly #unanswered: string[] = [];

  constructor(options: ClaimLoopOptions) {
    this.#options = options;
    this.slots = new Slots(options.slots, () => this.#timer.wake());
  }

  /** A subtask may be ready: claims at once if a slot is free. */
  ring(): void {
    this.#isRung = true;
    this.#timer.wake();
  }

  /** Call this when the answer to a claim got lost. The claim is repeated before a new one, to receive the subtasks in that answer. */
  askAgain(claimRequestId: string): void {
    this.#unanswered.push(claimRequestId);
    this.ring();
  }

  /** Sets whether the server can ring. With rings it claims at once, since a ring may have been missed; without, at the poll interval. */
  setDoorbell(works: boolean): void {
    this.#hasDoorbell = works;
    if (works) return this.ring();
    this.#notBefore = Math.min(this.#notBefore, performance.now() + jittered(this.#pollMs));
    this.#timer.wake();
  }

  /** Whether the worker can take on more work. */
  isWanting(): boolean {
    return !this.#options.draining.aborted && this.#options.canClaim();
  }

  /** Processes the answer to a claim for which `reserved` slots were reserved. */
  received(answer: ClaimAnswer, reserved: number, sentAtMs: number): void {
    const taken = this.#options.onClaimed(answer, sentAtMs);
    this.#pollMs = answer.claim_poll_ms;
    this.#notBefore = answer.claimed.length < reserved ? performance.now() + jittered(this.#pause(answer)) : 0;
    this.slots.release(reserved - taken);
  }

  /** The server does not ring when a paused worker may continue, or when it counts a free slot as used. */
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

  /** Sends one claim for all slots, also while draining. */
  async once(): Promise<void> {
    await this.#claim(this.slots.reserve(LIMITS.batch), forAtMost(ONCE_FOR_MS));
  }

  /**
   * Repeats the claim with the same claim_request_id until it is answered, so the server returns the subtasks of a lost answer again.
   * It gives up when a result could no longer be stored, since a repeat may also return new subtasks.
   */
  async #claim(limit: number, again: NonNullable<RetryOptions['again']>): Promise<void> {
    const { api, tools, stopped, draining, canClaim, onError } = this.#options;
    const before = async () => {
      if (!canClaim()) throw new Error('results cannot be stored on the disk at the moment, so no work is claimed');
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
      this.#isRung ||= lost !== undefined; // a repeated claim does not return what became ready since
    } catch (error) {
      this.#notBefore = performance.now() + (classify(error) === 'retryable' ? 0 : jittered(REFUSED_PAUSE_MS));
      this.slots.release(limit);
      onError(error);
    }
  }
}
