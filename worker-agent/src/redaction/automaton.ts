/** Finds many byte strings in one pass (Aho–Corasick), with a table of states by byte class. */
export class Automaton {
  readonly #classOf = new Uint16Array(256);
  readonly #width: number;
  #next: Int32Array;
  /** For each state: the length of the longest pattern that ends in it, and of the longest pattern prefix that it stands for. */
  readonly #found: Int32Array;
  readonly #depth: Int32Array;
  readonly #isSkipped: (byte: number) => boolean;

  /** Skipped bytes may occur anywhere inside a match. */
  constructor(patterns: readonly Uint8Array[], isSkipped: (byte: number) => boolean = () => false) {
    this.#isSkipped = isSkipped;
    let classes = 1;
    for (const pattern of patterns) for (const byte of pattern) this.#classOf[byte] ||= classes++;
    this.#width = classes;
    const most = patterns.reduce((sum, { length }) => sum + length, 1);
    this.#next = new Int32Array(most * classes);
    this.#found = new Int32Array(most);
    this.#depth = new Int32Array(most);
    let states = 1;
    for (const pattern of patterns) states = this.#insert(pattern, states);
    this.#next = this.#next.slice(0, states * classes);
    this.#link(states);
  }

  #insert(pattern: Uint8Array, states: number): number {
    let state = 0;
    for (const byte of pattern) {
      const at = state * this.#width + (this.#classOf[byte] as number);
      if (this.#next[at] === 0) {
        this.#depth[states] = (this.#depth[state] as number) + 1;
        this.#next[at] = states++;
      }
      state = this.#next[at] as number;
    }
    this.#found[state] = pattern.length;
    return states;
  }

  /** Fills in the failure transitions of each state, breadth first, so that those of shorter prefixes are complete. */
  #link(states: number): void {
    const fail = new Int32Array(states);
    const queue: number[] = [0];
    for (const state of queue) {
      this.#found[state] = Math.max(this.#found[state] as number, this.#found[fail[state] as number] as number);
      for (let letter = 0; letter < this.#width; letter++) {
        const at = state * this.#width + letter;
        const child = this.#next[at] as number;
        const otherwise = state === 0 ? 0 : (this.#next[(fail[state] as number) * this.#width + letter] as number);
        if (child === 0) this.#next[at] = otherwise;
        else {
          fail[child] = otherwise;
          queue.push(child);
        }
      }
    }
  }

  /** Calls `onMatch` for each match. Returns the offset from which the bytes may be the beginning of a match. */
  scan(bytes: Uint8Array, onMatch: (start: number, end: number) => void): number {
    let state = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (this.#isSkipped(byte)) continue;
      state = this.#next[state * this.#width + (this.#classOf[byte] as number)] as number;
      const length = this.#found[state] as number;
      if (length > 0) onMatch(this.#back(bytes, at + 1, length), at + 1);
    }
    return this.#back(bytes, bytes.length, this.#depth[state] as number);
  }

  #back(bytes: Uint8Array, end: number, length: number): number {
    let at = end;
    for (let left = length; left > 0; at--) if (!this.#isSkipped(bytes[at - 1] as number)) left--;
    return at;
  }
}
