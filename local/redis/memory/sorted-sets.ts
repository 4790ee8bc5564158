import { type Commands, count, numberOf, pairs, scoreOf, scoreText, SYNTAX } from './command.ts';
import { Refusal } from './refusal.ts';
import { zrange, within } from './zrange.ts';
import { SortedSet } from './sorted-set.ts';
import type { Store } from './store.ts';

const newZset = () => new SortedSet();

const FLAGS = ['NX', 'XX', 'GT', 'LT'];

/** Returns the number of new members. CH and INCR are not used by this system. */
const zadd = (store: Store, [key = '', ...rest]: string[]) => {
  const from = rest.findIndex((text) => !FLAGS.includes(text.toUpperCase()));
  const flags = new Set((from < 0 ? rest : rest.slice(0, from)).map((text) => text.toUpperCase()));
  const items = pairs(from < 0 ? [] : rest.slice(from), SYNTAX);
  if (items.length === 0) throw new Refusal(SYNTAX);
  if (flags.has('NX') && flags.has('XX')) throw new Refusal('ERR XX and NX options at the same time are not compatible');
  if (count(['NX', 'GT', 'LT'], (flag) => flags.has(flag)) > 1)
    throw new Refusal('ERR GT, LT, and/or NX options at the same time are not compatible');
  const scored = items.map(([score, member]) => ({ member, score: scoreOf(score) }));
  return store.edit(key, 'zset', newZset, (zset) => {
    const before = zset.size;
    for (const { member, score } of scored) if (isTaken(flags, zset.score(member), score)) zset.set(member, score);
    return zset.size - before;
  });
};

const isTaken = (flags: Set<string>, old: number | undefined, score: number): boolean => {
  if (old === undefined) return !flags.has('XX');
  return !flags.has('NX') && !(flags.has('GT') && score <= old) && !(flags.has('LT') && score >= old);
};

const scoreAnswer = (score: number | undefined) => (score === undefined ? null : scoreText(score));

const zremrangebyrank = (store: Store, [key = '', start = '', stop = '']: string[]) => {
  const [first, last] = [numberOf(start), numberOf(stop)];
  return store.edit(key, 'zset', newZset, (zset) => {
    const gone = within(zset.items(), first, last);
    for (const { member } of gone) zset.delete(member);
    return gone.length;
  });
};

export const SORTED_SETS: Commands = {
  zadd: { least: 3, run: zadd },
  zrem: {
    least: 2,
    run: (store, [key = '', ...members]) => store.edit(key, 'zset', newZset, (zset) => count(members, (member) => zset.delete(member))),
  },
  zrange: { least: 3, run: zrange },
  zcard: { least: 1, most: 1, run: (store, [key = '']) => store.read(key, 'zset')?.size ?? 0 },
  zscore: { least: 2, most: 2, run: (store, [key = '', member = '']) => scoreAnswer(store.read(key, 'zset')?.score(member)) },
  zmscore: {
    least: 2,
    run: (store, [key = '', ...members]) => {
      const zset = store.read(key, 'zset');
      return members.map((member) => scoreAnswer(zset?.score(member)));
    },
  },
  zremrangebyrank: { least: 3, most: 3, run: zremrangebyrank },
};
