import type { Automaton } from './automaton.ts';

const MARKER = Buffer.from('[redacted]');
type Range = { start: number; end: number };

/** Sorts ranges by start and merges those that overlap. */
const merged = (ranges: readonly Range[]): Range[] => {
  const whole: Range[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = whole.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else whole.push({ start, end });
  }
  return whole;
};

/** Replaces secrets in a stream of bytes. Bytes that may be the beginning of a secret are held back until the next bytes or the end decide. */
export class RedactedStream {
  readonly #automata: () => readonly Automaton[];
  #held = Buffer.alloc(0);
  /** How many of the held bytes belong to a secret whose marker was already returned. */
  #covered = 0;

  constructor(automata: () => readonly Automaton[]) {
    this.#automata = automata;
  }

  write(bytes: Uint8Array): Buffer {
    return this.#pass(this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]), false);
  }

  end(): Buffer {
    return this.#pass(this.#held, true);
  }

  #pass(bytes: Buffer, isEnd: boolean): Buffer {
    const ranges: Range[] = this.#covered > 0 ? [{ start: 0, end: this.#covered }] : [];
    const undecided = this.#automata().map((it) => it.scan(bytes, (start, end) => ranges.push({ start, end })));
    const until = isEnd ? bytes.length : Math.min(bytes.length, ...undecided);
    const parts: Buffer[] = [];
    let at = 0;
    for (const { start, end } of merged(ranges)) {
      const isMarked = start === 0 && this.#covered > 0;
      if (start >= until && !isMarked) break;
      parts.push(bytes.subarray(at, start));
      if (!isMarked) parts.push(MARKER);
      at = end;
    }
    parts.push(bytes.subarray(at, until));
    this.#covered = Math.max(0, at - until);
    this.#held = Buffer.from(bytes.subarray(until));
    return Buffer.concat(parts);
  }
}
