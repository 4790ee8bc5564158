import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** A template after `sql`, `ctx.sql` or `tx`, with or without the type of its rows. */
const STATEMENT = /\b(?:sql|tx)(?:<(?:[^<>`]|<[^<>`]*>)*>)?`/;

/** Parts of statements that are no statement by themselves. */
const ALLOWED = ['functions/domain/ports/sql.ts'];

const files = globSync('functions/**/*.ts', { cwd: ROOT }).map((file) => file.replaceAll('\\', '/'));
const codeOf = (file: string) => readFileSync(join(ROOT, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
const withStatements = (names: readonly string[]) => names.filter((file) => STATEMENT.test(codeOf(file)));

describe('the backend', () => {
  it('has its SQL in files that end with .sql.ts', () => {
    const others = files.filter((file) => !file.endsWith('.sql.ts') && !ALLOWED.includes(file));

    expect(withStatements(others)).toEqual([]);
  });

  it('has SQL in every file that ends with .sql.ts', () => {
    const named = files.filter((file) => file.endsWith('.sql.ts'));

    expect(named.length).toBeGreaterThan(9);
    expect(withStatements([...named, ...ALLOWED]).toSorted()).toEqual([...named, ...ALLOWED].toSorted());
  });
});
