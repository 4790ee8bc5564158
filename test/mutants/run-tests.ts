import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

export type TestRun = {
  folder: string;
  env: Record<string, string>;
  tests: readonly string[];
  only?: string | undefined;
  limitMs: number;
  signal: AbortSignal;
};
/** The outcome of tests. `broken`: no test ran to its end, so that nothing is known about the code. */
export type TestOutcome =
  | { kind: 'passed' }
  | { kind: 'failed'; test: string; ms: number }
  | { kind: 'timed out' }
  | { kind: 'broken'; output: string };

type Report = { success: boolean; testResults: { assertionResults: { status: string; fullName: string; duration?: number | null }[] }[] };

const OUTPUT_CHARACTERS = 4_000;

/** Kills the process and, where the system has process groups, all that it started. */
const kill = (child: ChildProcess): void => {
  try {
    if (process.platform === 'win32') child.kill('SIGKILL');
    else process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // It has already ended.
  }
};

const outcomeOf = (reportPath: string, code: number | null, output: string): TestOutcome => {
  const report = existsSync(reportPath) ? (JSON.parse(readFileSync(reportPath, 'utf8')) as Report) : null;
  const results = report?.testResults.flatMap(({ assertionResults }) => assertionResults) ?? [];
  const failed = results.find(({ status }) => status === 'failed');
  if (failed) return { kind: 'failed', test: failed.fullName, ms: failed.duration ?? 0 };
  if (!results.some(({ status }) => status === 'passed')) return { kind: 'broken', output: stripVTControlCharacters(output) };
  return code === 0 ? { kind: 'passed' } : { kind: 'failed', test: 'an error outside of the tests', ms: 0 };
};

/** Runs tests in a copy of the checkout until the first one fails. */
export const runTests = async ({ folder, env, tests, only, limitMs, signal }: TestRun): Promise<TestOutcome> => {
  const report = join(folder, 'report-of-tests.json');
  rmSync(report, { force: true });
  const args = ['run', '--project', 'main', '--bail', '1', '--reporter', 'json', '--outputFile', report, ...tests];
  const child = spawn(
    process.execPath,
    [join(folder, 'node_modules/vitest/vitest.mjs'), ...args, ...(only === undefined ? [] : ['-t', only])],
    {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    },
  );
  let output = '';
  const keep = (chunk: Buffer) => void (output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    kill(child);
  }, limitMs);
  const stop = () => kill(child);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    signal.throwIfAborted();
    return isLate ? { kind: 'timed out' } : outcomeOf(report, code, output);
  } finally {
    kill(child); // a process of a test that outlived it
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
};
