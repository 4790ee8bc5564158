import { type Commands, count } from './command.ts';
import type { Store } from './store.ts';

const newSet = () => new Set<string>();

const sadd = (store: Store, [key = '', ...members]: string[]) =>
  store.edit(key, 'set', newSet, (set) => {
    const before = set.size;
    for (const member of members) set.add(member);
    return set.size - before;
  });

export const SETS: Commands = {
  sadd: { least: 2, run: sadd },
  srem: {
    least: 2,
    run: (store, [key = '', ...members]) => store.edit(key, 'set', newSet, (set) => count(members, (member) => set.delete(member))),
  },
  smembers: { least: 1, most: 1, run: (store, [key = '']) => [...(store.read(key, 'set') ?? [])] },
  sismember: { least: 2, most: 2, run: (store, [key = '', member = '']) => Number(store.read(key, 'set')?.has(member) ?? false) },
  scard: { least: 1, most: 1, run: (store, [key = '']) => store.read(key, 'set')?.size ?? 0 },
};
