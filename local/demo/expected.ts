import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export type Counts = { words: number; lines: number; characters: number; sequences: number };

const LONGEST = 12;

const isWordCharacter = (character: string) => /[\p{L}\p{N}]/u.test(character);

const countWords = (text: string): number => {
  let words = 0;
  let inside = false;
  for (const character of text) {
    const is = isWordCharacter(character);
    if (is && !inside) words++;
    inside = is;
  }
  return words;
};

/**
 * Distinct character sequences of up to 12, counted over sorted suffixes: each suffix adds those that it does not share with the
 * previous one.
 */
const countSequences = (text: string): number => {
  const suffixes = Array.from({ length: text.length }, (_, at) => text.slice(at, at + LONGEST)).toSorted((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  let sequences = 0;
  let before = '';
  for (const suffix of suffixes) {
    let shared = 0;
    while (shared < before.length && shared < suffix.length && before[shared] === suffix[shared]) shared++;
    sequences += suffix.length - shared;
    before = suffix;
  }
  return sequences;
};

/** The counts that the workers must find in a file, computed by another algorithm than theirs. */
export const countFile = (path: string): Counts => {
  const text = readFileSync(path, 'utf8');
  let lines = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return { words: countWords(text), lines, characters: text.length, sequences: countSequences(text) };
};

export const add = (all: readonly Counts[]): Counts =>
  all.reduce((a, b) => ({
    words: a.words + b.words,
    lines: a.lines + b.lines,
    characters: a.characters + b.characters,
    sequences: a.sequences + b.sequences,
  }));

export const digest = (parts: Record<string, Counts>) => {
  const lines: string[] = [];
  for (const key of Object.keys(parts))
    for (const name of ['words', 'lines', 'characters', 'sequences'] as const) lines.push(`${key}.${name}=${parts[key]?.[name]}`);
  lines.sort((a, b) => (a < b ? -1 : 1));
  return { lines: lines.length, sha256: createHash('sha256').update(lines.join('\n')).digest('hex') };
};
