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

/** The keys with their types and expiry times; `now` is in whole milliseconds. */
export const createStore = (now: () => number) => {
  const entries = new Map<string, Entry>();
  let cursor = entries.entries();
  let born = 0;

  const isOver = ({ expiresAt }: Entry) => expiresAt !== null && expiresAt <= now();
  const live = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    if (entry === undefined || !isOver(entry)) return entry;
    entries.delete(key);
    return undefined;
  };
  const put = (key: string, kind: Kind, value: Values[Kind], expiresAt: number | null) =>
    entries.set(key, { kind, value, expiresAt, born: entries.get(key)?.born ?? ++born });
  const read = <K extends Kind>(key: string, kind: K): Values[K] | undefined => {
    const entry = live(key);
    if (entry !== undefined && entry.kind !== kind) throw new Refusal('WRONGTYPE Operation against a key holding the wrong kind of value');
    return entry?.value as Values[K] | undefined;
  };
  return {
    now,
    read,
    kind: (key: string): Kind | undefined => live(key)?.kind,
    put,
    /** Changes a collection, which `make` creates if it does not exist. An empty collection is deleted. */
    edit: <K extends Collection, T>(key: string, kind: K, make: () => Values[K], change: (value: Values[K]) => T): T => {
      const value = read(key, kind) ?? make();
      const answer = change(value);
      if (value.size === 0) entries.delete(key);
      else if (!entries.has(key)) put(key, kind, value, null);
      return answer;
    },
    remove: (key: string): boolean => live(key) !== undefined && entries.delete(key),
    clear: () => entries.clear(),
    /** Undefined if the key does not exist, null if it has no expiry time. */
    expiresAt: (key: string): number | null | undefined => live(key)?.expiresAt,
    expire: (key: string, at: number): boolean => {
      const entry = live(key);
      if (entry) entry.expiresAt = at;
      return entry !== undefined;
    },
    /** The next entries after a cursor, and the cursor to continue from; 0 at the end. */
    scan: (after: number, limit: number): { keys: string[]; next: number } => {
      const rest = [...entries].filter(([, entry]) => entry.born > after);
      const page = rest.slice(0, limit);
      const keys = page.filter(([, entry]) => !isOver(entry)).map(([key]) => key);
      return { keys, next: rest.length > limit ? (page.at(-1)?.[1].born ?? 0) : 0 };
    },
    /** Deletes expired entries that nobody reads, a few at a time, so that memory stays bounded. */
    sweep: () => {
      for (let looked = 0; looked < SWEEP; looked++) {
        const next = cursor.next();
        if (next.done) {
          cursor = entries.entries();
          return;
        }
        if (isOver(next.value[1])) entries.delete(next.value[0]);
      }
    },
    size: () => entries.size,
  };
};
export type Store = ReturnType<typeof createStore>;
