import { glob } from 'node:fs/promises';
import { basename, join } from 'node:path';

const DOMAIN = join(import.meta.dirname, '../../functions/domain');

/** The names of all functions that contain a statement, as the meter reports them: the exports of `*.sql.ts`. */
export const allStatements = async (): Promise<string[]> => {
  const names: string[] = [];
  for await (const file of glob('**/*.sql.ts', { cwd: DOMAIN })) {
    const module = (await import(join(DOMAIN, file))) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module)) if (typeof value === 'function') names.push(`${basename(file, '.sql.ts')} ${name}`);
  }
  return names;
};
