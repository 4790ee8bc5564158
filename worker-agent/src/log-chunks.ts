import { StringDecoder } from 'node:string_decoder';
import { LIMITS } from '../../schema/json.ts';
import type { LogChunkSpec } from '../../schema/log.ts';
import { cleanText } from './clean.ts';

type Stream = LogChunkSpec['stream'];
const bytesOf = (text: string) => Buffer.byteLength(text, 'utf8');
const LAST = LIMITS.log_chunks_per_attempt - 1;

const utf8Length = (codePoint: number) => (codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4);

/** Where a text is cut so that its head is at most `bytes` long in UTF-8, between characters. */
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

/** Turns what a tool prints into numbered chunks: whole characters, at most `chunkBytes` each, `capBytes` in all, then one marker. */
export class LogChunks {
  readonly #chunkBytes: number;
  readonly #decoders = new Map<Stream, StringDecoder>();
  #left: number;
  #next = 0;
  #open: { stream: Stream; content: string; bytes: number } | null = null;
  #dropped = false;
  #waiting = 0;
  #cut: LogChunkSpec[] = [];

  constructor({ capBytes, chunkBytes = LIMITS.log_chunk_bytes }: { capBytes: number; chunkBytes?: number }) {
    this.#left = capBytes;
    this.#chunkBytes = chunkBytes;
  }

  write(stream: Stream, text: string | Uint8Array): void {
    if (this.#dropped) return;
    this.#add(stream, typeof text === 'string' ? text : this.#decoder(stream).write(Buffer.from(text)));
  }

  /** The bytes that wait to be taken. */
  get waitingBytes(): number {
    return this.#waiting;
  }

  /** Closes the open chunk and hands over what was closed since the last call. */
  take(): LogChunkSpec[] {
    this.#close();
    const taken = this.#cut;
    this.#cut = [];
    this.#waiting = 0;
    return taken;
  }

  /** Adds what the decoders still hold: the beginnings of characters that never came to their end. */
  end(): void {
    for (const [stream, decoder] of this.#decoders) this.#add(stream, decoder.end());
    this.#decoders.clear();
  }

  #decoder(stream: Stream): StringDecoder {
    const decoder = this.#decoders.get(stream) ?? new StringDecoder('utf8');
    this.#decoders.set(stream, decoder);
    return decoder;
  }

  #add(stream: Stream, text: string): void {
    let rest = cleanText(text);
    while (rest !== '' && !this.#dropped) {
      if (this.#open?.stream !== stream) this.#close();
      const room = this.#chunkBytes - (this.#open?.bytes ?? 0);
      const at = cutAt(rest, Math.min(room, this.#left));
      if (at === 0 && (this.#left < 4 || room === this.#chunkBytes)) return this.#drop();
      this.#append(stream, rest.slice(0, at));
      rest = rest.slice(at);
      if (rest !== '') this.#close();
    }
  }

  #append(stream: Stream, content: string): void {
    if (content === '') return;
    if (this.#open === null && this.#next >= LAST) return this.#drop();
    const bytes = bytesOf(content);
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
      content: 'The rest of the output was dropped: it is longer than the worker keeps of one attempt\n',
    });
  }

  #close(): void {
    if (this.#open === null) return;
    const { stream, content } = this.#open;
    this.#cut.push({ chunk: this.#next++, stream, content });
    this.#open = null;
  }
}
