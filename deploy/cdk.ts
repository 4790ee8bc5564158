import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT, runCommand } from './run.ts';

/** Longer than a deploy takes, so that a hanging one ends. */
const DEPLOY_MS = 1_800_000;
const CLI = join(ROOT, 'node_modules/aws-cdk/bin/cdk');

export type CdkOptions = { env?: Record<string, string>; signal?: AbortSignal; timeoutMs?: number; stdin?: 'inherit' | 'ignore' };

/** Runs the CDK command line; with the terminal's input it can ask for confirmation of changed permissions. */
export const cdk = (args: readonly string[], { env = {}, signal, timeoutMs = DEPLOY_MS, stdin = 'ignore' }: CdkOptions = {}) =>
  runCommand(process.execPath, [CLI, ...args], {
    env: { ...process.env, ...env },
    stdio: [stdin, 'inherit', 'inherit'],
    detached: stdin === 'ignore',
    timeoutMs,
    ...(signal ? { signal } : {}),
  });

/** The outputs of all stacks together. */
export const readOutputs = async (file: string): Promise<Record<string, string>> => {
  const stacks = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, string>>;
  return Object.assign({}, ...Object.values(stacks)) as Record<string, string>;
};
