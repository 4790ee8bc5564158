import { Refusal } from './refusal.ts';
import type { SortedSet } from './sorted-set.ts';

type Values = { string: string; hash: Map<string, string>; set: Set<string>; zset: SortedSet };
export type Kind = keyof Values;
type Collection = Exclude<Kind, 'string'>;
type Entry = {
  kind: Kind;
  value: Values[Kind];
  /** Numbers entries in the order that the map has them in. */
  born: number;
  expiresAt: number | null;
};

/** How many entries each command looks at to find expired ones: more than it can make. */
const SWEEP = 4;

/** The keys with their types and times to live; `now` in whole milliseconds. */
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
    /** Changes a collection, made by `make` when there is none; one that is left empty goes. */
    edit: <K extends Collection, T>(key: string, kind: K, make: () => Values[K], change: (value: Values[K]) => T): T => {
      const value = read(key, kind) ?? make();
      const answer = change(value);
      if (value.size === 0) entries.delete(key);
      else if (!entries.has(key)) put(key, kind, value, null);
      return answer;
    },
    remove: (key: string): boolean => live(key) !== undefined && entries.delete(key),
    clear: () => entries.clear(),
    /** Undefined when there is no such key, null when it lives for ever. */
    expiresAt: (key: string): number | null | undefined => live(key)?.expiresAt,
    expire: (key: string, at: number): boolean => {
      const entry = live(key);
      if (entry) entry.expiresAt = at;
      return entry !== undefined;
    },
    /** The next entries after a cursor, and the cursor to go on from; 0 when that was all. */
    scan: (after: number, limit: number): { keys: string[]; next: number } => {
      const rest = [...entries].filter(([, entry]) => entry.born > after);
      const page = rest.slice(0, limit);
      const keys = page.filter(([, entry]) => !isOver(entry)).map(([key]) => key);
      return { keys, next: rest.length > limit ? (page.at(-1)?.[1].born ?? 0) : 0 };
    },
    /** Finds what has expired and is never asked for: a few entries at a time, so that memory stays bounded. */
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
