import { numberOf, scoreOf, scoreText, SYNTAX } from './command.ts';
import { Refusal } from './refusal.ts';
import type { Store } from './store.ts';

type Options = { byScore: boolean; reversed: boolean; withScores: boolean; limit: [offset: number, count: number] | null };

/** BYSCORE REV LIMIT WITHSCORES. BYLEX is not used by this system and is rejected. */
const optionsOf = (args: string[]): Options => {
  const options: Options = { byScore: false, reversed: false, withScores: false, limit: null };
  for (let at = 0; at < args.length; at++) {
    const name = args[at]?.toUpperCase();
    if (name === 'BYSCORE') options.byScore = true;
    else if (name === 'REV') options.reversed = true;
    else if (name === 'WITHSCORES') options.withScores = true;
    else if (name === 'LIMIT' && at + 2 < args.length) options.limit = [numberOf(args[++at] ?? ''), numberOf(args[++at] ?? '')];
    else throw new Refusal(SYNTAX);
  }
  // Internally Redis represents "no limit" as a count of -1, so it accepts and ignores -1 for ranges by rank.
  if (!options.byScore && (options.limit?.[1] ?? -1) !== -1)
    throw new Refusal('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
  return options;
};

/** The range between two ranks, both inclusive; negative ranks count from the end. */
export const within = <T>(items: readonly T[], first: number, last: number): T[] => {
  const at = (rank: number) => (rank < 0 ? items.length + rank : rank);
  return at(last) < 0 ? [] : items.slice(Math.max(0, at(first)), at(last) + 1);
};

const boundOf = (text: string) => {
  const isOpen = text.startsWith('(');
  return { isOpen, score: scoreOf(isOpen ? text.slice(1) : text, 'ERR min or max is not a float') };
};

const limited = <T>(items: T[], limit: Options['limit']): T[] => {
  if (limit === null) return items;
  const [offset, many] = limit;
  if (offset < 0) return [];
  return many < 0 ? items.slice(offset) : items.slice(offset, offset + many);
};

/** With REV, the upper bound comes first. */
export const zrange = (store: Store, [key = '', from = '', to = '', ...rest]: string[]) => {
  const { byScore, reversed, withScores, limit } = optionsOf(rest);
  const select = byScore ? byScores(reversed ? to : from, reversed ? from : to) : byRanks(from, to);
  const items = store.read(key, 'zset')?.items() ?? [];
  const chosen = limited(select(reversed ? items.toReversed() : items), byScore ? limit : null);
  return chosen.flatMap(({ member, score }) => (withScores ? [member, scoreText(score)] : [member]));
};

type Item = { member: string; score: number };
type Select = (items: readonly Item[]) => Item[];

const byRanks = (from: string, to: string): Select => {
  const [first, last] = [numberOf(from), numberOf(to)];
  return (items) => within(items, first, last);
};

const byScores = (lowest: string, highest: string): Select => {
  const [low, high] = [boundOf(lowest), boundOf(highest)];
  const isIn = ({ score }: Item) =>
    (low.isOpen ? score > low.score : score >= low.score) && (high.isOpen ? score < high.score : score <= high.score);
  return (items) => items.filter(isIn);
};
