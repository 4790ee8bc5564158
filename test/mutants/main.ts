// npm run test:mutants -- [words] [--list]: applies each mutant separately to a copy of the checkout and runs its tests.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onStopSignals } from '../../local/stop-signals.ts';
import { startThrowawayPostgres } from '../../local/postgres/throwaway.ts';
import { allMutants } from './all.ts';
import { copyCheckout } from './checkout.ts';
import { findFaults } from './faults.ts';
import type { Mutant } from './mutant.ts';
import { runTests, type TestOutcome, type TestRun } from './run-tests.ts';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 180_000;
const BASELINE_LIMIT_MS = 30 * 60_000;

type Verdict = 'killed' | 'survived' | 'broken';
type Place = Pick<TestRun, 'folder' | 'env' | 'signal'>;

const seconds = (ms: number) => (ms / 1_000).toFixed(1);
const print = (line = '') => process.stdout.write(`${line}\n`);

const chosen = (words: readonly string[]): readonly Mutant[] =>
  allMutants.filter(({ name, file }) => words.every((word) => `${file} ${name}`.toLowerCase().includes(word.toLowerCase())));

const list = (mutants: readonly Mutant[]): void => {
  for (const { name, file, survives } of mutants) print(`${file}: ${name}${survives === undefined ? '' : `\n    survives: ${survives}`}`);
};

const verdictOf = ({ kind }: TestOutcome): Verdict => {
  if (kind === 'passed') return 'survived';
  return kind === 'broken' ? 'broken' : 'killed';
};

/** The test names that the mutants need, because whole files take long. */
const onlyOf = (mutants: readonly Mutant[]): string | undefined => {
  const patterns = mutants.map(({ only }) => only);
  return patterns.includes(undefined) ? undefined : patterns.map((pattern) => `(?:${pattern})`).join('|');
};

/** A failure proves nothing about a mutant unless the same tests pass without it. */
const runBaseline = async (place: Place, mutants: readonly Mutant[]): Promise<void> => {
  const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))];
  print(`baseline: ${tests.length} test files`);
  const outcome = await runTests({ ...place, tests, only: onlyOf(mutants), limitMs: BASELINE_LIMIT_MS });
  if (outcome.kind === 'passed') return;
  const why =
    outcome.kind === 'failed'
      ? outcome.test
      : outcome.kind === 'broken'
        ? outcome.output
        : `they did not finish within ${BASELINE_LIMIT_MS} ms`;
  throw new Error(`The tests do not pass without any mutant: ${why}`);
};

const tryMutant = async (place: Place, { file, find, replace, tests, only }: Mutant): Promise<TestOutcome> => {
  const path = join(place.folder, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    original.replace(find, () => replace),
  );
  try {
    return await runTests({ ...place, tests, only, limitMs: LIMIT_MS });
  } finally {
    writeFileSync(path, original);
  }
};

const detailOf = (mutant: Mutant, outcome: TestOutcome): string => {
  const verdict = verdictOf(outcome);
  if (outcome.kind === 'broken') return `\n    no test was run to its end:\n${outcome.output}`;
  if (verdict === 'killed' && mutant.survives !== undefined) return `\n    its reason to survive is out of date: ${mutant.survives}`;
  if (outcome.kind === 'failed') return `\n    after ${seconds(outcome.ms)} s by: ${outcome.test}`;
  if (outcome.kind === 'timed out') return `\n    by the time limit of ${LIMIT_MS / 1_000} s`;
  return mutant.survives === undefined ? '\n    no test finds it' : `\n    as expected: ${mutant.survives}`;
};

const isExpected = (mutant: Mutant, verdict: Verdict): boolean => verdict === (mutant.survives === undefined ? 'killed' : 'survived');

/** Returns the number of mutants whose outcome is not the expected one. */
const tryAll = async (place: Place, mutants: readonly Mutant[]): Promise<number> => {
  const counts = { killed: 0, survived: 0, broken: 0, unexpected: 0 };
  for (const mutant of mutants) {
    const startedAt = performance.now();
    const outcome = await tryMutant(place, mutant);
    const verdict = verdictOf(outcome);
    const duration = seconds(performance.now() - startedAt);
    print(`${verdict.padEnd(8)} ${duration.padStart(5)} s  ${mutant.name}${detailOf(mutant, outcome)}`);
    counts[verdict]++;
    if (!isExpected(mutant, verdict)) counts.unexpected++;
  }
  print(`${mutants.length} mutants: ${counts.killed} killed, ${counts.survived} survived, ${counts.broken} broken`);
  if (counts.unexpected > 0) print(`${counts.unexpected} of them not as expected`);
  return counts.unexpected;
};

/** One database server for all runs instead of one for each. */
const startServer = async (): Promise<{ url: string; stop(): Promise<void> }> => {
  const given = process.env.TEST_DATABASE_URL;
  return given ? { url: given, stop: async () => {} } : startThrowawayPostgres('test');
};

const run = async (mutants: readonly Mutant[], signal: AbortSignal): Promise<number> => {
  const copy = await copyCheckout(ROOT);
  try {
    const server = await startServer();
    try {
      const place = { folder: copy.folder, env: { TEST_DATABASE_URL: server.url }, signal };
      await runBaseline(place, mutants);
      return await tryAll(place, mutants);
    } finally {
      await server.stop();
    }
  } finally {
    copy.remove();
  }
};

const main = async (args: readonly string[]): Promise<number> => {
  const mutants = chosen(args.filter((arg) => !arg.startsWith('--')));
  const faults = findFaults(ROOT, allMutants);
  if (faults.length > 0) throw new Error(`Mutants do not apply:\n${faults.join('\n')}`);
  if (mutants.length === 0) throw new Error('No mutant has these words in its file or name; --list prints all.');
  if (args.includes('--list')) {
    list(mutants);
    return 0;
  }
  const stop = new AbortController();
  onStopSignals({ stop: () => stop.abort(new Error('Interrupted.')), force: () => process.exit(1) });
  return (await run(mutants, stop.signal)) === 0 ? 0 : 1;
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
