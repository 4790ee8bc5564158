import { backoffMs } from '../../../../schema/client/backoff.ts';
import { WakeableTimer } from '../../../../schema/client/wakeable-timer.ts';
import { isTransient } from '../../../../schema/client/client.ts';
import { LIMITS } from '../../../../schema/json.ts';
import type { WorkerApi } from '../../api/worker-api.ts';
import { sendArtifact } from '../artifacts.ts';
import { clip } from '../clean.ts';
import type { Log } from '../../agent/worker-log.ts';
import { classify, isOfProxy, LeaseLost, type RetryOptions, meansLost } from '../../api/retry.ts';
import type { SpoolEntry } from './spool-entry.ts';
import type { Item, Spool } from './spool.ts';

export type SpoolSenderOptions = { api: WorkerApi; spool: Spool; log: Log; onRevoked(error: unknown): void };

const CHECK_MS = 10_000;
const RETRY = { baseMs: 200, maxMs: 10_000 };
const once = { again: () => false };
/** The error may concern only this entry: a bug of the platform, or a rule of an intermediary such as a size limit. */
const isOfEntry = (error: unknown): boolean => {
  const { status = 0 } = error as { status?: number };
  return status === 500 || (status >= 400 && isOfProxy(error) && !isTransient(error));
};

/** Sends the entries of the spool in order, as soon as the platform answers again. The platform checks the fence of each. */
export class SpoolSender {
  readonly #options: SpoolSenderOptions;
  readonly #timer = new WakeableTimer();

  constructor(options: SpoolSenderOptions) {
    this.#options = options;
  }

  /** Call this when the platform may answer again, or when there is something to send. */
  hurry(): void {
    this.#timer.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { api, spool } = this.#options;
    for (let tries = 0; !signal.aborted; ) {
      tries = (await this.#round(signal)) ? 0 : tries + 1;
      if (spool.isEmpty || tries > 0) await this.#timer.wait(tries === 0 ? CHECK_MS : backoffMs(tries, RETRY), signal);
      // Also after `hurry` it waits until the time that the server asked for.
      await new WakeableTimer().wait(api.notBefore - performance.now(), signal);
      if (!signal.aborted) await spool.check();
    }
  }

  /** Returns whether no entry has to wait. An attempt that meets an error of its own does not delay the others. */
  async #round(signal: AbortSignal): Promise<boolean> {
    const { spool, log } = this.#options;
    const waiting = new Set<string>();
    for (const item of spool.items) {
      if (signal.aborted) return false;
      const read = await this.#read(item);
      if (read === undefined) return false;
      if (read === null || waiting.has(read.entry.subtask_id)) continue;
      const { entry, bytes } = read;
      try {
        await this.#send(entry, bytes, signal);
        log('info', 'spool.sent', { subtask_id: entry.subtask_id, kind: entry.kind });
        await spool.remove(item);
      } catch (error) {
        const delayed = await this.#failed(item, entry, error);
        if (delayed === 'all') return false;
        if (delayed === 'this') waiting.add(entry.subtask_id);
      }
    }
    return waiting.size === 0;
  }

  /** Returns undefined when the entry cannot be read at the moment; then the next ones wait, since they may depend on it. */
  async #read(item: Item): Promise<Awaited<ReturnType<Spool['read']>> | undefined> {
    const { spool, log } = this.#options;
    try {
      return await spool.read(item);
    } catch (error) {
      log('warn', 'spool.unreadable', { file: item.path, error: (error as Error).message });
      return undefined;
    }
  }

  /** Handles an error and returns which entries have to wait. */
  async #failed(item: Item, { subtask_id, kind }: SpoolEntry, error: unknown): Promise<'all' | 'this' | 'nothing'> {
    const { spool, log, onRevoked } = this.#options;
    const verdict = classify(error);
    if (verdict === 'retryable') return isOfEntry(error) ? 'this' : 'all';
    if (verdict === 'revoked') {
      onRevoked(error);
      return 'all';
    }
    const reason = (error as { code?: string }).code ?? (error as Error).message;
    if (verdict === 'lease_lost') log('warn', 'subtask.dropped', { subtask_id, kind, reason });
    else log('error', 'spool.refused', { subtask_id, kind, error: (error as Error).message });
    await spool.remove(item);
    return 'nothing';
  }

  async #send(entry: SpoolEntry, bytes: Buffer<ArrayBuffer>, signal: AbortSignal): Promise<unknown> {
    const { api } = this.#options;
    const retry = { ...once, signal };
    if (entry.kind === 'logs') return api.appendLogs(entry, entry.chunks, retry);
    if (entry.kind === 'artifact') return sendArtifact(api, entry, { ...entry, content: bytes }, retry);
    if (entry.kind === 'completed') return this.#complete(entry, retry);
    const { failure_class, message, usage } = entry;
    return api.fail(entry, { failure_class, message, ...(usage ? { usage } : {}) }, retry);
  }

  async #complete({ kind: _, ...completion }: Extract<SpoolEntry, { kind: 'completed' }>, retry: RetryOptions): Promise<void> {
    const { api } = this.#options;
    const { subtask_id, lease_token, attempt } = completion;
    const refused = await api
      .completeMany(() => ({ completions: [completion as never] }), retry)
      .then(({ results: [answer] }) => {
        if (answer === undefined || answer.ok) return null;
        if (meansLost(answer.code)) throw new LeaseLost(answer.code);
        return `(${answer.code}): ${answer.detail}`;
      })
      .catch((error) => {
        if (classify(error) !== 'refused') throw error;
        return `: ${(error as Error).message}`;
      });
    if (refused === null) return;
    const message = clip(`The result was refused ${refused}`, LIMITS.message_characters);
    await api.fail({ subtask_id, lease_token, attempt }, { failure_class: 'invalid_result', message }, retry);
  }
}
