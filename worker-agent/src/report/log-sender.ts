import type { LogChunkSpec } from '../../../schema/log.ts';
import type { Fenced, WorkerApi } from '../api/worker-api.ts';
import { countThatFits } from './count-that-fits.ts';
import { LogChunks } from './log-chunks.ts';
import type { Redactor } from '../redaction/redactor.ts';
import { classify, orAborted } from '../api/retry.ts';
import { SLOW_MS } from './spool/send-or-keep.ts';

const BATCH_MS = 500;
const BATCH_BYTES = 65_536;
// Control characters are six times as long in JSON; 512 KiB of them still fit in a request.
const REQUEST_BYTES = 524_288;
const REQUEST_CHUNKS = 64;

type LogSenderOptions = {
  capBytes: number;
  redactor: Redactor;
  /** Aborts when nothing more may be sent for the attempt. */
  signal: AbortSignal;
  before?: () => Promise<void>;
  /** Stores chunks that could not be sent before the end because the platform does not answer. */
  keep(chunks: LogChunkSpec[]): Promise<void>;
  onLost(): void;
  onGivenUp(reason: string): void;
  /** Called at the end if output was dropped because of the cap. */
  onDropped(bytes: number): void;
};

/** Sends the output of one attempt in order, in batches of half a second or 64 KB. Keeps chunks until they are acknowledged. */
export class LogSender {
  readonly #api: WorkerApi;
  readonly #fence: Fenced;
  readonly #options: LogSenderOptions;
  readonly #chunks: LogChunks;
  #unsent: LogChunkSpec[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> = Promise.resolve();
  #stopped = false;
  readonly #ending = new AbortController();
  readonly #late = new AbortController();

  constructor(api: WorkerApi, fence: Fenced, options: LogSenderOptions) {
    this.#api = api;
    this.#fence = fence;
    this.#options = options;
    this.#chunks = new LogChunks(options);
  }

  write(stream: LogChunkSpec['stream'], text: string | Uint8Array): void {
    if (this.#stopped) return;
    this.#chunks.write(stream, text);
    if (this.#chunks.waitingBytes >= BATCH_BYTES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS);
  }

  /** Resolves when all output has been sent or stored on the disk, or has been given up. */
  async end(): Promise<void> {
    this.#ending.abort();
    this.#chunks.end();
    this.#flush();
    const timer = setTimeout(() => this.#late.abort(), SLOW_MS);
    await this.#sending;
    clearTimeout(timer);
    this.#stopped = true;
    if (this.#chunks.droppedBytes > 0) this.#options.onDropped(this.#chunks.droppedBytes);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unsent.push(...this.#chunks.take());
    if (this.#unsent.length > 0) this.#sending = this.#sending.then(() => this.#send());
  }

  async #send(): Promise<void> {
    while (this.#unsent.length > 0 && !this.#stopped && !this.#options.signal.aborted) {
      if (this.#late.signal.aborted) return this.#keep();
      const batch = this.#batch();
      try {
        const { signal, before } = this.#options;
        const hurry = this.#ending.signal;
        const sent = this.#api.appendLogs(this.#fence, batch, { signal, before, hurry, again: () => !hurry.aborted });
        const answer = await orAborted(sent, this.#late.signal);
        if (answer === undefined) return this.#keep();
        const { next_chunk } = answer;
        if (next_chunk <= (batch[0]?.chunk ?? 0)) return this.#giveUp('the server asks for chunks that it already has');
        this.#unsent = this.#unsent.filter(({ chunk }) => chunk >= next_chunk);
      } catch (error) {
        const verdict = classify(error);
        if (verdict === 'retryable' && !this.#options.signal.aborted) return this.#keep();
        if (verdict === 'lease_lost') this.#options.onLost();
        return this.#giveUp((error as Error).message);
      }
    }
  }

  async #keep(): Promise<void> {
    try {
      while (this.#unsent.length > 0) {
        const batch = this.#batch();
        await this.#options.keep(batch);
        this.#unsent.splice(0, batch.length);
      }
    } catch (error) {
      this.#giveUp((error as Error).message);
    }
  }

  #batch(): LogChunkSpec[] {
    const bounds = { maxCount: REQUEST_CHUNKS, maxBytes: REQUEST_BYTES };
    return this.#unsent.slice(
      0,
      countThatFits(this.#unsent, ({ content }) => Buffer.byteLength(content), bounds),
    );
  }

  #giveUp(reason: string): void {
    this.#stopped = true;
    this.#unsent = [];
    this.#options.onGivenUp(reason);
  }
}
