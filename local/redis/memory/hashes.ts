import { type Commands, count, pairs, sum, wholeOf } from './command.ts';
import type { Store } from './store.ts';

const newHash = () => new Map<string, string>();

const hset = (store: Store, [key = '', ...rest]: string[]) => {
  const fields = pairs(rest, "ERR wrong number of arguments for 'hset' command");
  return store.edit(key, 'hash', newHash, (hash) => {
    const before = hash.size;
    for (const [field, value] of fields) hash.set(field, value);
    return hash.size - before;
  });
};

const hincrby = (store: Store, [key = '', field = '', by = '']: string[]) => {
  const step = wholeOf(by);
  return store.edit(key, 'hash', newHash, (hash) => {
    const value = sum(hash.get(field) ?? '0', step, 'ERR hash value is not an integer');
    hash.set(field, String(value));
    return Number(value);
  });
};

export const HASHES: Commands = {
  hset: { least: 3, run: hset },
  hget: { least: 2, most: 2, run: (store, [key = '', field = '']) => store.read(key, 'hash')?.get(field) ?? null },
  hmget: {
    least: 2,
    run: (store, [key = '', ...fields]) => {
      const hash = store.read(key, 'hash');
      return fields.map((field) => hash?.get(field) ?? null);
    },
  },
  hgetall: { least: 1, most: 1, run: (store, [key = '']) => [...(store.read(key, 'hash') ?? [])].flat() },
  hincrby: { least: 3, most: 3, run: hincrby },
  hdel: {
    least: 2,
    run: (store, [key = '', ...fields]) => store.edit(key, 'hash', newHash, (hash) => count(fields, (field) => hash.delete(field))),
  },
};
