import { Refusal } from './refusal.ts';
import type { Store } from './store.ts';

/** A command with `least` to `most` arguments, not counting its name. */
export type RedisCommand = { least: number; most?: number; run(store: Store, args: string[]): unknown };
export type Commands = Record<string, RedisCommand>;

export const SYNTAX = 'ERR syntax error';
const NOT_WHOLE = 'ERR value is not an integer or out of range';

/** A 64-bit integer, in the form in which Redis prints it. */
export const wholeOf = (text: string, refusal = NOT_WHOLE): bigint => {
  if (!/^(0|-?[1-9]\d*)$/.test(text) || BigInt.asIntN(64, BigInt(text)) !== BigInt(text)) throw new Refusal(refusal);
  return BigInt(text);
};
export const numberOf = (text: string, refusal?: string): number => Number(wholeOf(text, refusal));

const SCORE = /^[+-]?(inf(inity)?|(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)$/i;
export const scoreOf = (text: string, refusal = 'ERR value is not a valid float'): number => {
  if (!SCORE.test(text)) throw new Refusal(refusal);
  return Number(text.replace(/inf(inity)?/i, 'Infinity'));
};
export const scoreText = (score: number): string => String(score).replace('Infinity', 'inf');

export const sum = (text: string, by: bigint, refusal?: string): bigint => {
  const result = wholeOf(text, refusal) + by;
  if (BigInt.asIntN(64, result) !== result) throw new Refusal('ERR increment or decrement would overflow');
  return result;
};

/** Groups the arguments in pairs; an odd number is rejected as in Redis. */
export const pairs = (args: string[], refusal: string): [string, string][] => {
  if (args.length % 2 !== 0) throw new Refusal(refusal);
  return args.flatMap((text, at): [string, string][] => (at % 2 === 0 ? [[text, args[at + 1] ?? '']] : []));
};

export const count = <T>(items: T[], counts: (item: T) => boolean): number => items.filter(counts).length;
