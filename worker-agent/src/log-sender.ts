import type { LogChunkSpec } from '../../schema/log.ts';
import type { Fenced, WorkerApi } from './api.ts';
import { LogChunks } from './log-chunks.ts';
import type { Redactor } from './redaction/redactor.ts';
import { classify, forAtMost } from './retry.ts';

const BATCH_MS = 500;
const BATCH_BYTES = 65_536;
// Control characters are six times as long in JSON: 512 KiB stay below the limit of a request even so.
const REQUEST_BYTES = 524_288;
const REQUEST_CHUNKS = 64;
const FLUSH_MS = 30_000;

type Options = {
  capBytes: number;
  redactor: Redactor;
  /** Aborted when nothing more may be sent for the attempt. */
  signal: AbortSignal;
  before?: () => Promise<void>;
  onLost(): void;
  onGivenUp(reason: string): void;
};

/** Sends what one attempt prints, in order, in batches of half a second or 64 KB; chunks are kept until they are acknowledged. */
export class LogSender {
  readonly #api: WorkerApi;
  readonly #fence: Fenced;
  readonly #options: Options;
  readonly #chunks: LogChunks;
  #unsent: LogChunkSpec[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(api: WorkerApi, fence: Fenced, options: Options) {
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

  /** Resolves when everything is stored, or when it is clear that it will not be. */
  async end(): Promise<void> {
    this.#chunks.end();
    this.#flush();
    await this.#sending;
    this.#stopped = true;
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unsent.push(...this.#chunks.take());
    if (this.#unsent.length > 0) this.#sending = this.#sending.then(() => this.#send());
  }

  async #send(): Promise<void> {
    while (this.#unsent.length > 0 && !this.#stopped && !this.#options.signal.aborted) {
      const batch = this.#batch();
      try {
        const { signal, before } = this.#options;
        const { next_chunk } = await this.#api.appendLogs(this.#fence, batch, { signal, before, again: forAtMost(FLUSH_MS) });
        if (next_chunk <= (batch[0]?.chunk ?? 0)) return this.#giveUp('the server asks for chunks that it was given before');
        this.#unsent = this.#unsent.filter(({ chunk }) => chunk >= next_chunk);
      } catch (error) {
        if (classify(error) === 'lease_lost') this.#options.onLost();
        return this.#giveUp((error as Error).message);
      }
    }
  }

  #batch(): LogChunkSpec[] {
    let bytes = 0;
    let count = 0;
    for (const { content } of this.#unsent.slice(0, REQUEST_CHUNKS)) {
      bytes += Buffer.byteLength(content);
      if (count > 0 && bytes > REQUEST_BYTES) break;
      count++;
    }
    return this.#unsent.slice(0, count);
  }

  #giveUp(reason: string): void {
    this.#stopped = true;
    this.#unsent = [];
    this.#options.onGivenUp(reason);
  }
}
