import { type Commands, count, numberOf, SYNTAX } from './command.ts';
import { Refusal } from './refusal.ts';
import { matcher } from './glob.ts';
import type { Store } from './store.ts';

const expire =
  (unitMs: number) =>
  (store: Store, [key = '', ttl = '']: string[]) =>
    Number(store.expire(key, store.now() + numberOf(ttl) * unitMs));

const ttl =
  (unitMs: number) =>
  (store: Store, [key = '']: string[]) => {
    const at = store.expiresAt(key);
    if (at === undefined) return -2;
    return at === null ? -1 : Math.round((at - store.now()) / unitMs);
  };

type ScanOptions = { fits: (key: string) => boolean; limit: number; kind: string | null };

const scanOptions = (args: string[]): ScanOptions => {
  const options: ScanOptions = { fits: () => true, limit: 10, kind: null };
  for (let at = 0; at < args.length; at += 2) {
    const [name = '', value] = args.slice(at, at + 2);
    if (value === undefined) throw new Refusal(SYNTAX);
    if (name.toUpperCase() === 'MATCH') options.fits = matcher(value);
    else if (name.toUpperCase() === 'COUNT') options.limit = numberOf(value);
    else if (name.toUpperCase() === 'TYPE') options.kind = value.toLowerCase();
    else throw new Refusal(SYNTAX);
  }
  if (options.limit < 1) throw new Refusal(SYNTAX);
  return options;
};

const scan = (store: Store, [cursor = '', ...rest]: string[]) => {
  if (!/^\d+$/.test(cursor)) throw new Refusal('ERR invalid cursor');
  const { fits, limit, kind } = scanOptions(rest);
  const { keys, next } = store.scan(Number(cursor), limit);
  return [String(next), keys.filter((key) => fits(key) && (kind === null || store.kind(key) === kind))];
};

const flushall = (store: Store, [mode = 'SYNC']: string[]) => {
  if (!/^(A?SYNC)$/i.test(mode)) throw new Refusal(SYNTAX);
  store.clear();
  return 'OK';
};

export const KEYS: Commands = {
  del: { least: 1, run: (store, keys) => count(keys, (key) => store.remove(key)) },
  exists: { least: 1, run: (store, keys) => count(keys, (key) => store.kind(key) !== undefined) },
  expire: { least: 2, most: 2, run: expire(1_000) },
  pexpire: { least: 2, most: 2, run: expire(1) },
  ttl: { least: 1, most: 1, run: ttl(1_000) },
  pttl: { least: 1, most: 1, run: ttl(1) },
  scan: { least: 1, run: scan },
  flushall: { least: 0, most: 1, run: flushall },
  ping: { least: 0, most: 1, run: (_store, [message = 'PONG']) => message },
};
