import { readFileSync } from 'node:fs';

/** Names of variables whose values are secrets. */
const NAMED = /(^|_)(TOKEN|KEY|SECRET)$|PASSWORD$/i;

/** A URL with a password as the value of a variable, such as a proxy. A proxy may be given without a scheme. */
const ADDRESS_WITH_PASSWORD = /^(?:[a-z][a-z\d+.-]*:\/\/)?[^:/@\s]*:([^/?#\s]+)@/i;

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const passwordIn = (value: string): string[] => {
  const [, password] = ADDRESS_WITH_PASSWORD.exec(value) ?? [];
  return password === undefined ? [] : [...new Set([password, decoded(password)])];
};

export const secretsOf = (env: NodeJS.ProcessEnv): string[] =>
  Object.entries(env).flatMap(([name, value = '']) => [...(NAMED.test(name) && value ? [value] : []), ...passwordIn(value)]);

/** The secrets of a file, one on each line. */
export const secretsIn = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
