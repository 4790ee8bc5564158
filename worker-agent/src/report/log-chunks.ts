import { StringDecoder } from 'node:string_decoder';
import { LIMITS } from '../../../schema/json.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import { cleanText } from './clean.ts';
import { ProgressLines } from './progress-lines.ts';
import { Redactor } from '../redaction/redactor.ts';
import type { RedactedStream } from '../redaction/stream.ts';

type Stream = LogChunkSpec['stream'];
const bytesOf = (text: string) => Buffer.byteLength(text, 'utf8');
const LAST = LIMITS.log_chunks_per_attempt - 1;

const utf8Length = (codePoint: number) => (codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4);

/** Where to cut a text between characters so that its head has at most `bytes` bytes in UTF-8. */
const cutAt = (text: string, bytes: number): number => {
  if (bytesOf(text) <= bytes) return text.length;
  let size = 0;
  let at = 0;
  for (const character of text) {
    size += utf8Length(character.codePointAt(0) ?? 0);
    if (size > bytes) return at;
    at += character.length;
  }
  return at;
};

type LogChunksOptions = { capBytes: number; chunkBytes?: number; redactor?: Redactor };
type Source = { redacted: RedactedStream; decoder: StringDecoder; lines: ProgressLines };

/**
 * Turns the output of a tool into numbered chunks, without secrets and without overwritten states of progress bars. Each chunk has whole
 * characters and at most `chunkBytes` bytes. After `capBytes` in total, the last chunk states that the rest was dropped.
 */
export class LogChunks {
  readonly #chunkBytes: number;
  readonly #redactor: Redactor;
  readonly #sources = new Map<Stream, Source>();
  #left: number;
  #next = 0;
  #open: { stream: Stream; content: string; bytes: number } | null = null;
  #dropped = false;
  #droppedBytes = 0;
  #waiting = 0;
  #cut: LogChunkSpec[] = [];

  constructor({ capBytes, chunkBytes = LIMITS.log_chunk_bytes, redactor = new Redactor() }: LogChunksOptions) {
    this.#left = capBytes;
    this.#chunkBytes = chunkBytes;
    this.#redactor = redactor;
  }

  write(stream: Stream, text: string | Uint8Array): void {
    if (this.#dropped) {
      this.#droppedBytes += Buffer.byteLength(text);
      return;
    }
    for (const [other, { lines }] of this.#sources) if (other !== stream) this.#add(other, lines.flush());
    const { redacted, decoder, lines } = this.#source(stream);
    this.#add(stream, lines.write(cleanText(decoder.write(redacted.write(Buffer.from(text))))));
  }

  /** The number of bytes that `take` would return. */
  get waitingBytes(): number {
    return this.#waiting;
  }

  /** The number of bytes dropped because of the cap. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** Closes the open chunk and returns the chunks closed since the last call. Lines that are being overwritten are held back. */
  take(): LogChunkSpec[] {
    for (const [stream, { lines }] of this.#sources) this.#add(stream, lines.flush());
    this.#close();
    const taken = this.#cut;
    this.#cut = [];
    this.#waiting = 0;
    return taken;
  }

  /** Adds what was held back: incomplete secrets and characters, and the last states of overwritten lines. */
  end(): void {
    for (const [stream, { redacted, decoder, lines }] of this.#sources) {
      this.#add(stream, lines.write(cleanText(decoder.write(redacted.end()) + decoder.end())));
      this.#add(stream, lines.end());
    }
    this.#sources.clear();
  }

  #source(stream: Stream): Source {
    const known = this.#sources.get(stream);
    if (known !== undefined) return known;
    const source = { redacted: this.#redactor.stream(), decoder: new StringDecoder('utf8'), lines: new ProgressLines() };
    this.#sources.set(stream, source);
    return source;
  }

  #add(stream: Stream, text: string): void {
    let rest = text;
    while (rest !== '' && !this.#dropped) {
      if (this.#open?.stream !== stream) this.#close();
      const room = this.#chunkBytes - (this.#open?.bytes ?? 0);
      const at = cutAt(rest, Math.min(room, this.#left));
      if (at === 0 && (this.#left < 4 || room === this.#chunkBytes)) {
        this.#drop();
        break;
      }
      this.#append(stream, rest.slice(0, at));
      rest = rest.slice(at);
      if (rest !== '') this.#close();
    }
    if (this.#dropped) this.#droppedBytes += bytesOf(rest);
  }

  #append(stream: Stream, content: string): void {
    if (content === '') return;
    const bytes = bytesOf(content);
    if (this.#open === null && this.#next >= LAST) {
      this.#droppedBytes += bytes;
      return this.#drop();
    }
    const before = this.#open ?? { stream, content: '', bytes: 0 };
    this.#open = { stream, content: before.content + content, bytes: before.bytes + bytes };
    this.#left -= bytes;
    this.#waiting += bytes;
  }

  #drop(): void {
    this.#close();
    this.#dropped = true;
    this.#cut.push({
      chunk: this.#next++,
      stream: 'system',
      content: 'The rest of the output was dropped: it exceeds the limit of the worker for one attempt\n',
    });
  }

  #close(): void {
    if (this.#open === null) return;
    const { stream, content } = this.#open;
    this.#cut.push({ chunk: this.#next++, stream, content });
    this.#open = null;
  }
}
