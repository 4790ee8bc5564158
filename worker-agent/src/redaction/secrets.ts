import { readFileSync } from 'node:fs';

/** The variables whose values are secrets by their names. */
const NAMED = /(^|_)(TOKEN|KEY|SECRET)$|PASSWORD$/i;

export const secretsOf = (env: NodeJS.ProcessEnv): string[] =>
  Object.entries(env).flatMap(([name, value]) => (NAMED.test(name) && value ? [value] : []));

/** The secrets that a file declares, one on each line. */
export const secretsIn = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
