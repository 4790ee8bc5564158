import { randomUUID } from 'node:crypto';
import { jsonBytes, LIMITS } from '../../schema/json.ts';
import type { ClaimAnswer, CompleteAnswer } from './api.ts';
import { clip } from './clean.ts';
import { clockMs } from './clock.ts';
import type { Ending, JobContext } from './job-context.ts';
import { classify, forAtMost, LeaseLost, type RetryOptions } from './retry.ts';
import type { RunningJob } from './running-job.ts';
import type { Slots } from './slots.ts';

type Completed = Extract<Ending, { kind: 'completed' }>;
type Waiting = { job: RunningJob; ending: Completed; bytes: number; answered: () => void };
export type Claims = { slots: Slots; isDraining(): boolean; received(answer: ClaimAnswer, reserved: number, sentAtMs: number): void };

const REQUEST_BYTES = LIMITS.request_bytes / 2;
const RELEASE_FOR_MS = 10_000;

/** Tells the server how jobs ended. Results that are ready at the same moment share a request, which also claims the next jobs. */
export class Reporter {
  readonly #ctx: JobContext;
  readonly #claims: Claims;
  #waiting: Waiting[] = [];
  #isScheduled = false;

  constructor(ctx: JobContext, claims: Claims) {
    this.#ctx = ctx;
    this.#claims = claims;
  }

  /** Resolves when the server has answered, or when it is clear that it will not. Frees the job's slot. */
  async report(job: RunningJob, ending: Ending): Promise<void> {
    job.beginReport();
    const { subtask_id, key, attempt } = job.claimed;
    const told = ending.kind === 'failed' ? { failure_class: ending.failure_class, message: ending.message } : {};
    const reason = ending.kind === 'released' || ending.kind === 'dropped' ? { reason: ending.reason } : {};
    this.#ctx.journal(ending.kind === 'completed' ? 'info' : 'warn', `subtask.${ending.kind}`, {
      subtask_id,
      key,
      attempt,
      ...told,
      ...reason,
    });
    if (ending.kind === 'completed') return this.#complete(job, ending);
    await this.#end(job, ending);
    this.#claims.slots.release(1);
  }

  #complete(job: RunningJob, ending: Completed): Promise<void> {
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
    let bytes = 0;
    let count = 0;
    for (const it of this.#waiting.slice(0, LIMITS.batch)) {
      bytes += it.bytes;
      if (count > 0 && bytes > REQUEST_BYTES) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** One request for a batch. Its slots are free as soon as it is answered, so the claim in it counts them already. */
  async #send(given: readonly Waiting[]): Promise<void> {
    const { slots } = this.#claims;
    const claims = !this.#claims.isDraining();
    const extra = claims ? slots.reserve(LIMITS.batch - given.length) : 0;
    const limit = given.length + extra;
    const claim = claims ? { claim: { claim_request_id: randomUUID(), limit, start: true } } : {};
    const batch = [...given];
    let sentAt: number | undefined;
    const body = () => {
      sentAt ??= clockMs();
      return { completions: batch.map(({ job, ending: { kind: _, ...result } }) => ({ ...job.fence, ...result })), ...claim };
    };
    try {
      const answer = await this.#ctx.api.completeMany(body, this.#retry(batch));
      await this.#judge(batch, answer.results);
      if (answer.claim === null) slots.release(limit);
      else this.#claims.received(answer.claim, limit, sentAt ?? clockMs());
    } catch (error) {
      await this.#refused(batch, error);
      slots.release(limit);
    }
    for (const { answered } of given) answered();
  }

  #retry(batch: Waiting[]): RetryOptions {
    return { before: () => this.#confirm(batch), again: forAtMost(this.#ctx.settings.reportForMs) };
  }

  /** Takes out of a batch what was lost meanwhile; throws when the server could not be asked, and when nothing is left. */
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
    this.#ctx.journal('warn', 'subtask.dropped', { subtask_id: claimed.subtask_id, reason });
  }

  async #judge(batch: readonly Waiting[], results: CompleteAnswer['results']): Promise<void> {
    const refused = results.flatMap((it) => (it.ok ? [] : [it]));
    for (const { subtask_id, code, detail } of refused) {
      const waiting = batch.find(({ job }) => job.claimed.subtask_id === subtask_id);
      if (waiting === undefined) continue;
      if (DROPPED.has(code)) this.#dropped(waiting.job, code);
      else
        await this.#end(waiting.job, {
          kind: 'failed',
          failure_class: 'tool_error',
          message: clip(`The result was refused (${code}): ${detail}`, 4_000),
        });
    }
  }

  /** A request that is wrong as a whole is taken apart, so that one bad result spoils no other. */
  async #refused(batch: readonly Waiting[], error: unknown): Promise<void> {
    const verdict = classify(error);
    if (verdict === 'revoked') return this.#ctx.onRevoked(error);
    if (verdict === 'refused' && batch.length > 1) return void (await Promise.all(batch.map((it) => this.#sendAlone(it))));
    const [only] = batch;
    const message = clip(`The result was refused: ${(error as Error).message}`, 4_000);
    if (verdict === 'refused' && only) return this.#end(only.job, { kind: 'failed', failure_class: 'invalid_result', message });
    for (const { job } of batch)
      this.#ctx.journal('error', 'result.given-up', { subtask_id: job.claimed.subtask_id, error: (error as Error).message });
  }

  async #sendAlone(it: Waiting): Promise<void> {
    const { kind: _, ...result } = it.ending;
    try {
      const body = () => ({ completions: [{ ...it.job.fence, ...result }] });
      await this.#judge([it], (await this.#ctx.api.completeMany(body, this.#retry([it]))).results);
    } catch (error) {
      await this.#refused([it], error);
    }
  }

  async #end(job: RunningJob, ending: Exclude<Ending, Completed>): Promise<void> {
    const { api, settings, journal, onRevoked } = this.#ctx;
    const { subtask_id } = job.claimed;
    try {
      if (ending.kind === 'failed') {
        const { kind: _, ...failure } = ending;
        await api.fail(job.fence, failure, job.retry(settings.reportForMs));
      }
      if (ending.kind === 'released') await api.release(job.fence, ending.reason, job.retry(RELEASE_FOR_MS));
    } catch (error) {
      const verdict = classify(error);
      if (verdict === 'revoked') onRevoked(error);
      else if (verdict === 'lease_lost') this.#dropped(job, 'lease_lost');
      else journal('error', 'result.given-up', { subtask_id, error: (error as Error).message });
    }
  }
}

const DROPPED = new Set(['lease_lost', 'attempt_ended', 'subtask_not_found']);
