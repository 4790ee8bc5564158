import { join } from 'node:path';
import type * as z from 'zod';
import { StandaloneEnv } from '../schema/env.ts';

const PROJECT = join(import.meta.dirname, '..');

type Name = keyof typeof StandaloneEnv.shape;
const NAMES = Object.keys(StandaloneEnv.shape) as Name[];
/** Has a password in it, so that an error must not show it. */
const SECRET: Name = 'REDIS_URL';

/**
 * The variables of the installation on this machine, checked. An empty variable counts as unset. Throws an Error that names each
 * wrong one as `labels` do, and describes a right value.
 */
export const readStandaloneEnv = (
  variables: Record<string, string | undefined>,
  labels: Partial<Record<Name, string>> = {},
): z.output<typeof StandaloneEnv> => {
  const given = Object.fromEntries(NAMES.flatMap((name) => (variables[name] ? [[name, variables[name]]] : [])));
  const { data, error } = StandaloneEnv.safeParse(given);
  if (error) {
    const faultOf = (name: Name, message: string) => `${labels[name] ?? name} ${message}${name === SECRET ? '' : `, not ${given[name]}`}`;
    throw new Error(error.issues.map(({ path, message }) => faultOf(path[0] as Name, message)).join('\n'));
  }
  return { ...data, MAW_DATA: given.MAW_DATA ?? join(PROJECT, data.MAW_DATA) };
};
