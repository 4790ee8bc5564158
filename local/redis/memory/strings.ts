import { type Commands, numberOf, sum, SYNTAX } from './command.ts';
import { Refusal } from './refusal.ts';
import type { Store } from './store.ts';

type SetOptions = { only?: 'NX' | 'XX'; ttlMs?: number };

/** EX PX NX XX. The other options (GET, KEEPTTL, EXAT, PXAT) are not used by this system and are rejected. */
const setOptions = (args: string[]): SetOptions => {
  const options: SetOptions = {};
  let ttl: { text: string; unitMs: number } | null = null;
  for (let at = 0; at < args.length; at++) {
    const name = args[at]?.toUpperCase();
    if ((name === 'NX' || name === 'XX') && (options.only ?? name) === name) options.only = name;
    else if ((name === 'EX' || name === 'PX') && ttl === null && at + 1 < args.length)
      ttl = { text: args[++at] ?? '', unitMs: name === 'EX' ? 1_000 : 1 };
    else throw new Refusal(SYNTAX);
  }
  return ttl === null ? options : { ...options, ttlMs: ttlOf(ttl.text, ttl.unitMs) };
};
const ttlOf = (text: string, unitMs: number) => {
  const ttl = numberOf(text) * unitMs;
  if (ttl <= 0) throw new Refusal("ERR invalid expire time in 'set' command");
  return ttl;
};

const set = (store: Store, [key = '', value = '', ...rest]: string[]) => {
  const { only, ttlMs } = setOptions(rest);
  if (only !== undefined && (store.kind(key) === undefined) !== (only === 'NX')) return null;
  store.put(key, 'string', value, ttlMs === undefined ? null : store.now() + ttlMs);
  return 'OK';
};

const incr = (store: Store, [key = '']: string[]) => {
  const value = sum(store.read(key, 'string') ?? '0', 1n);
  store.put(key, 'string', String(value), store.expiresAt(key) ?? null);
  return Number(value);
};

export const STRINGS: Commands = {
  get: { least: 1, most: 1, run: (store, [key = '']) => store.read(key, 'string') ?? null },
  mget: {
    least: 1,
    run: (store, keys) => keys.map((key) => (store.kind(key) === 'string' ? (store.read(key, 'string') ?? null) : null)),
  },
  set: { least: 2, run: set },
  incr: { least: 1, most: 1, run: incr },
};
