import { Refusal } from './refusal.ts';
import type { SortedSet } from './sorted-set.ts';

type Values = { string: string; hash: Map<string, string>; set: Set<string>; zset: SortedSet };
export type Kind = keyof Values;
type Collection = Exclude<Kind, 'string'>;
type Entry = {
  kind: Kind;
  value: Values[Kind];
  /** Numbers the entries in the order of the map. */
  born: number;
  expiresAt: number | null;
};

/** How many entries each command checks for expiry: more than it can create. */
const SWEEP = 4;

class MemoryStore {
  readonly now: () => number;
  readonly #entries = new Map<string, Entry>();
  #cursor = this.#entries.entries();
  #born = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  read<K extends Kind>(key: string, kind: K): Values[K] | undefined {
    const entry = this.#live(key);
    if (entry !== undefined && entry.kind !== kind) throw new Refusal('WRONGTYPE Operation against a key holding the wrong kind of value');
    return entry?.value as Values[K] | undefined;
  }

  kind(key: string): Kind | undefined {
    return this.#live(key)?.kind;
  }

  put(key: string, kind: Kind, value: Values[Kind], expiresAt: number | null) {
    this.#entries.set(key, { kind, value, expiresAt, born: this.#entries.get(key)?.born ?? ++this.#born });
  }

  /** Changes a collection, which `make` creates if it does not exist. An empty collection is deleted. */
  edit<K extends Collection, T>(key: string, kind: K, make: () => Values[K], change: (value: Values[K]) => T): T {
    const value = this.read(key, kind) ?? make();
    const answer = change(value);
    if (value.size === 0) this.#entries.delete(key);
    else if (!this.#entries.has(key)) this.put(key, kind, value, null);
    return answer;
  }

  remove(key: string): boolean {
    return this.#live(key) !== undefined && this.#entries.delete(key);
  }

  clear() {
    this.#entries.clear();
  }

  /** Undefined if the key does not exist, null if it has no expiry time. */
  expiresAt(key: string): number | null | undefined {
    return this.#live(key)?.expiresAt;
  }

  expire(key: string, at: number): boolean {
    const entry = this.#live(key);
    if (entry) entry.expiresAt = at;
    return entry !== undefined;
  }

  /** The next entries after a cursor, and the cursor to continue from; 0 at the end. */
  scan(after: number, limit: number): { keys: string[]; next: number } {
    const rest = [...this.#entries].filter(([, entry]) => entry.born > after);
    const page = rest.slice(0, limit);
    const keys = page.filter(([, entry]) => !this.#isOver(entry)).map(([key]) => key);
    return { keys, next: rest.length > limit ? (page.at(-1)?.[1].born ?? 0) : 0 };
  }

  /** Deletes expired entries that nobody reads, a few at a time, so that memory stays bounded. */
  sweep() {
    for (let looked = 0; looked < SWEEP; looked++) {
      const next = this.#cursor.next();
      if (next.done) {
        this.#cursor = this.#entries.entries();
        return;
      }
      if (this.#isOver(next.value[1])) this.#entries.delete(next.value[0]);
    }
  }

  size(): number {
    return this.#entries.size;
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#isOver(entry)) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #isOver({ expiresAt }: Entry): boolean {
    return expiresAt !== null && expiresAt <= this.now();
  }
}
export type Store = MemoryStore;

/** The keys with their types and expiry times; `now` is in whole milliseconds. */
export const createStore = (now: () => number): Store => new MemoryStore(now);
