import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type * as z from 'zod';
import type { TaskSpec } from '../../schema/task.ts';
import { add, type Counts, countFile, digest } from './expected.ts';

export const ROOT = join(import.meta.dirname, '../..');
type Spec = z.input<typeof TaskSpec>;
type Subtask = NonNullable<Spec['subtasks']>[number];
/** A task, the subtask whose result is its output, and the expected output, computed here. */
export type Sample = { spec: Spec; output: string; expected: () => unknown };

const FOLDERS = ['schema', 'functions', 'local', 'worker-agent', 'docs'];
const LARGEST = 24_000;

/** The repository's own text files, in a fixed order. */
const texts = (): string[] => {
  const walk = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : walk(path);
        return /\.(ts|sql|md|mjs)$/.test(entry.name) && statSync(join(ROOT, path)).size < LARGEST ? [path] : [];
      });
  return FOLDERS.flatMap(walk);
};

const deal = <T>(items: readonly T[], hands: number): T[][] =>
  Array.from({ length: hands }, (_, hand) => items.filter((__, at) => at % hands === hand));

const script = (name: string, args: readonly string[] = []) => ({ argv: ['node', `local/demo/${name}`, ...args], cwd: ROOT });
const count = (key: string, files: readonly string[]): Subtask => ({
  key,
  goal: `Count over ${files.length} files`,
  tool: 'exec',
  input: script('count-words.mjs', files),
});
const countsOf = (files: readonly string[]): Counts => add(files.map((file) => countFile(join(ROOT, file))));

/** Fans out over shards, and sums their results. */
const summed = (goal: string, shards: readonly string[][]): Sample => ({
  spec: {
    goal,
    subtasks: [
      ...shards.map((files, at) => count(`shard-${at}`, files)),
      {
        key: 'sum',
        goal: 'Add the counts up',
        tool: 'scripted',
        dependencies: shards.map((_, at) => `shard-${at}`),
        input: { steps: [{ do: 'sum_inputs' }] },
      },
    ],
  },
  output: 'sum',
  expected: () => countsOf(shards.flat()),
});

/** Two layers: sums of halves, then a digest of both. */
const digested = (goal: string, shards: readonly string[][]): Sample => {
  const halves = deal(
    shards.map((_, at) => at),
    2,
  );
  return {
    spec: {
      goal,
      subtasks: [
        ...shards.map((files, at) => count(`shard-${at}`, files)),
        ...halves.map((members, half) => ({
          key: `half-${half}`,
          goal: 'Add the counts of a half up',
          tool: 'scripted',
          dependencies: members.map((at) => `shard-${at}`),
          input: { steps: [{ do: 'progress', percent: 50 }, { do: 'sum_inputs' }] },
        })),
        { key: 'digest', goal: 'Digest both halves', tool: 'exec', dependencies: ['half-0', 'half-1'], input: script('digest.mjs') },
      ],
    },
    output: 'digest',
    expected: () =>
      digest(Object.fromEntries(halves.map((members, half) => [`half-${half}`, countsOf(members.flatMap((at) => shards[at] ?? []))]))),
  };
};

/** Fails twice before it succeeds, like an overloaded model. */
const stubborn = (files: readonly string[]): Sample => ({
  spec: {
    goal: 'Count although the first tries are refused',
    subtasks: [
      {
        key: 'refused',
        goal: 'Ask until it is let in',
        tool: 'scripted',
        retry: { on: ['rate_limited'], base_ms: 300 },
        input: {
          steps: [
            { do: 'fail', failure_class: 'rate_limited', message: 'too many requests', until_attempt: 2 },
            { do: 'output', value: { tries: 3 } },
          ],
        },
      },
      count('files', files),
      { key: 'sum', goal: 'Join', tool: 'scripted', dependencies: ['refused', 'files'], input: { steps: [{ do: 'sum_inputs' }] } },
    ],
  },
  output: 'sum',
  expected: () => ({ tries: 3, ...countsOf(files) }),
});

const TASKS = 24;
const SHARDS = 5;

/** 24 tasks over the text files of the repository. */
export const samples = (): Sample[] => {
  const hands = deal(texts(), TASKS);
  return hands.map((files, at) => {
    const shards = deal(files, Math.min(SHARDS, files.length));
    if (at === 7) return stubborn(files);
    if (at === 11) return summed('统计仓库文件的词数并求和', shards);
    return at % 3 === 0 ? digested(`Digest the counts of part ${at + 1}`, shards) : summed(`Count the words of part ${at + 1}`, shards);
  });
};
