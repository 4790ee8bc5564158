import { randomUUID } from 'node:crypto';
import { jsonBytes, LIMITS } from '../../../schema/json.ts';
import type { ClaimAnswer, CompleteAnswer } from '../api/worker-api.ts';
import { clip } from './clean.ts';
import { countThatFits } from './count-that-fits.ts';
import { clockMs } from '../heartbeat/clock.ts';
import type { Ending, JobContext } from '../attempt/job-context.ts';
import { classify, forAtMost, LeaseLost, orAborted, type RetryOptions, meansLost } from '../api/retry.ts';
import type { RunningJob } from '../attempt/running-job.ts';
import type { Slots } from '../agent/slots.ts';
import { directMs, sendOrKeep, SLOW_MS } from './spool/send-or-keep.ts';
import type { Item } from './spool/spool.ts';

type Completed = Extract<Ending, { kind: 'completed' }>;
type Waiting = { job: RunningJob; ending: Completed; bytes: number; kept?: Item | undefined; answered: (kept?: Item) => void };
export type Claims = {
  slots: Slots;
  isWanting(): boolean;
  received(answer: ClaimAnswer, reserved: number, sentAtMs: number): void;
  askAgain(claimRequestId: string): void;
};

const REQUEST_BYTES = LIMITS.request_bytes / 2;
const RELEASE_FOR_MS = 10_000;

/** Reports to the server how jobs ended. Results that are ready at the same time share a request, which also claims the next jobs. */
export class Reporter {
  readonly #ctx: JobContext;
  readonly #claims: Claims;
  #waiting: Waiting[] = [];
  #isScheduled = false;

  constructor(ctx: JobContext, claims: Claims) {
    this.#ctx = ctx;
    this.#claims = claims;
  }

  /**
   * Resolves when the server has answered, or when the ending has been given up. Frees the job's slot; if the server does not answer, as
   * soon as the ending is stored on the disk.
   */
  async report(job: RunningJob, ending: Ending): Promise<void> {
    job.beginReport();
    const { subtask_id, key, attempt } = job.claimed;
    const failure = ending.kind === 'failed' ? { failure_class: ending.failure_class, message: ending.message } : {};
    const reason = ending.kind === 'released' || ending.kind === 'dropped' ? { reason: ending.reason } : {};
    const code = ending.kind === 'released' && ending.code !== undefined ? { code: ending.code } : {};
    this.#ctx.log(ending.kind === 'completed' ? 'info' : 'warn', `subtask.${ending.kind}`, {
      subtask_id,
      key,
      attempt,
      ...failure,
      ...reason,
      ...code,
    });
    const kept = ending.kind === 'completed' ? await this.#complete(job, ending) : await this.#endAlone(job, ending);
    if (kept !== undefined) await orAborted(this.#ctx.spool.removed(kept), this.#ctx.leaving);
  }

  async #endAlone(job: RunningJob, ending: Exclude<Ending, Completed>): Promise<Item | undefined> {
    const kept = await this.#end(job, ending);
    this.#claims.slots.release(1);
    return kept;
  }

  #complete(job: RunningJob, ending: Completed): Promise<Item | undefined> {
    return new Promise((answered) => {
      this.#waiting.push({ job, ending, bytes: jsonBytes(ending.result ?? null), answered });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        while (this.#waiting.length > 0) void this.#send(this.#batch());
      });
    });
  }

  #batch(): Waiting[] {
    const bounds = { maxCount: LIMITS.batch, maxBytes: REQUEST_BYTES };
    return this.#waiting.splice(
      0,
      countThatFits(this.#waiting, ({ bytes }) => bytes, bounds),
    );
  }

  /** Sends one request for a batch. Its slots are free once it is answered, so the claim in the request already includes them. */
  async #send(given: readonly Waiting[]): Promise<void> {
    const { slots } = this.#claims;
    const { isEmpty } = this.#ctx.spool;
    const claims = isEmpty && this.#claims.isWanting();
    const extra = claims ? slots.reserve(LIMITS.batch - given.length) : 0;
    const limit = given.length + extra;
    const claim = { claim_request_id: randomUUID(), limit, start: true };
    const batch = [...given];
    let sentAt: number | undefined;
    const body = () => {
      sentAt ??= clockMs();
      // The disk may have become full since the first try.
      const asks = claims && this.#ctx.spool.canKeep;
      return {
        completions: batch.map(({ job, ending: { kind: _, ...result } }) => ({ ...job.fence, ...result })),
        ...(asks ? { claim } : {}),
      };
    };
    const copied = this.#copyWhenSlow(given);
    try {
      if (!isEmpty) throw new EarlierUnsent();
      const answer = await this.#ctx.api.completeMany(body, this.#retry(batch));
      await copied();
      await this.#dropCopies(given);
      await this.#handleRefusals(batch, answer.results);
      if (answer.claim === null) slots.release(limit);
      else this.#claims.received(answer.claim, limit, sentAt ?? clockMs());
    } catch (error) {
      await copied();
      await this.#refused(batch, error);
      if (claims && classify(error) === 'retryable') this.#claims.askAgain(claim.claim_request_id);
      slots.release(limit);
    }
    for (const { answered, kept } of given) answered(kept);
  }

  /**
   * Stores results on the disk when their answer is slow, since this process may end first. Returns a function that cancels this, or
   * waits for it if it has begun.
   */
  #copyWhenSlow(batch: readonly Waiting[]): () => Promise<void> {
    const copies: Promise<void>[] = [];
    const copy = async (it: Waiting) => {
      it.kept = await this.#put(it.job, it.ending).catch(() => undefined);
    };
    const timer = setTimeout(() => copies.push(...batch.map(copy)), SLOW_MS);
    return async () => {
      clearTimeout(timer);
      await Promise.all(copies);
    };
  }

  async #dropCopies(batch: readonly Waiting[]): Promise<void> {
    for (const it of batch) {
      if (it.kept !== undefined) await this.#ctx.spool.remove(it.kept);
      it.kept = undefined;
    }
  }

  #retry(batch: Waiting[], again: NonNullable<RetryOptions['again']> = forAtMost(directMs(this.#ctx))): RetryOptions {
    return { before: () => this.#confirm(batch), again };
  }

  /** Removes jobs with a lost lease from a batch. Throws when a lease cannot be confirmed, or when the batch is empty. */
  async #confirm(batch: Waiting[]): Promise<void> {
    const ours = await Promise.all(batch.map(({ job }) => this.#isOurs(job)));
    batch.splice(0, batch.length, ...batch.filter((_, at) => ours[at]));
    if (batch.length === 0) throw new LeaseLost();
  }

  async #isOurs(job: RunningJob): Promise<boolean> {
    try {
      await job.confirm();
      return true;
    } catch (error) {
      if (classify(error) !== 'lease_lost') throw error;
      this.#dropped(job, 'lease_lost');
      return false;
    }
  }

  #dropped({ claimed }: RunningJob, reason: string): void {
    this.#ctx.log('warn', 'subtask.dropped', { subtask_id: claimed.subtask_id, reason });
  }

  async #handleRefusals(batch: readonly Waiting[], results: CompleteAnswer['results']): Promise<void> {
    const refused = results.flatMap((it) => (it.ok ? [] : [it]));
    for (const { subtask_id, code, detail } of refused) {
      const waiting = batch.find(({ job }) => job.claimed.subtask_id === subtask_id);
      if (waiting === undefined) continue;
      if (meansLost(code)) this.#dropped(waiting.job, code);
      else
        waiting.kept = await this.#end(waiting.job, {
          kind: 'failed',
          failure_class: 'invalid_result',
          message: clip(`The result was refused (${code}): ${detail}`, 4_000),
        });
    }
  }

  /** After an invalid batch each result is sent alone, so that one bad result does not affect the others. */
  async #refused(batch: readonly Waiting[], error: unknown): Promise<void> {
    const verdict = error instanceof EarlierUnsent ? 'retryable' : classify(error);
    if (verdict === 'revoked') return this.#ctx.onRevoked(error);
    if (verdict === 'retryable') return void (await Promise.all(batch.map((it) => this.#keep(it))));
    await this.#dropCopies(batch);
    if (verdict === 'refused' && batch.length > 1) return void (await Promise.all(batch.map((it) => this.#sendAlone(it))));
    const [only] = batch;
    const message = clip(`The result was refused: ${(error as Error).message}`, 4_000);
    if (verdict === 'refused' && only) only.kept = await this.#end(only.job, { kind: 'failed', failure_class: 'invalid_result', message });
  }

  async #sendAlone(it: Waiting, again?: RetryOptions['again']): Promise<void> {
    const { kind: _, ...result } = it.ending;
    try {
      const body = () => ({ completions: [{ ...it.job.fence, ...result }] });
      await this.#handleRefusals([it], (await this.#ctx.api.completeMany(body, this.#retry([it], again))).results);
    } catch (error) {
      if (again !== undefined && classify(error) === 'retryable') this.#givenUp(it.job, error);
      else await this.#refused([it], error);
    }
  }

  /** Stores a result on the disk. If that fails too, keeps it in memory and sends it again until this process ends. */
  async #keep(it: Waiting): Promise<void> {
    try {
      it.kept ??= await this.#put(it.job, it.ending);
    } catch {
      await this.#sendAlone(it, () => !this.#ctx.leaving.aborted);
    }
  }

  async #put(job: RunningJob, ending: Completed | Extract<Ending, { kind: 'failed' }>): Promise<Item> {
    const item = await this.#ctx.spool.put({ ...job.fence, ...ending });
    this.#ctx.log('info', 'result.kept', { subtask_id: job.claimed.subtask_id, file: item.path });
    return item;
  }

  #givenUp({ claimed: { subtask_id } }: RunningJob, error: unknown): void {
    this.#ctx.log('error', 'result.given-up', { subtask_id, error: (error as Error).message });
  }

  async #end(job: RunningJob, ending: Exclude<Ending, Completed>): Promise<Item | undefined> {
    try {
      if (ending.kind === 'failed') return await this.#fail(job, ending);
      if (ending.kind === 'released') await this.#ctx.api.release(job.fence, ending.reason, job.retry(RELEASE_FOR_MS));
    } catch (error) {
      const verdict = classify(error);
      if (verdict === 'revoked') this.#ctx.onRevoked(error);
      else if (verdict === 'lease_lost') this.#dropped(job, 'lease_lost');
      else this.#givenUp(job, error);
    }
    return undefined;
  }

  #fail(job: RunningJob, ending: Extract<Ending, { kind: 'failed' }>): Promise<Item | undefined> {
    const { kind: _, ...failure } = ending;
    return sendOrKeep<Item | undefined>(this.#ctx, job, {
      send: async (retry) => void (await this.#ctx.api.fail(job.fence, failure, retry)),
      keep: () => this.#put(job, ending),
    });
  }
}

/** Entries in the spool come first, and have not been sent yet. */
class EarlierUnsent extends Error {}
