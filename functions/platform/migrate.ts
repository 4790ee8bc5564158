import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sql } from '../domain/ports/sql.ts';
import { analyze, appliedHash, appliedNames, skipBodyChecks, prepare, recordApplied } from './migrate.sql.ts';
import { openPool } from './pool.ts';

type Script = { name: string; text: string; sha256: string };
const TRANSITIONS = 'transitions';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const readScripts = async (folder: string): Promise<Script[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const text = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n');
      return { name, text, sha256: sha256(text) };
    }),
  );
};

/** A migration in the database that this code does not have; null if there is none. */
const findNewer = async (sql: Sql, known: readonly Script[]): Promise<string | null> => {
  await prepare(sql);
  const names = new Set([TRANSITIONS, ...known.map(({ name }) => name)]);
  const applied = await appliedNames(sql);
  return applied.find((name) => !names.has(name)) ?? null;
};

const run = async (sql: Sql, { name, text }: Script) => {
  try {
    await sql.unsafe(text);
  } catch (cause) {
    throw new Error(`${name} can't be applied: ${(cause as Error).message}`, { cause });
  }
};

const applyMigration = async (sql: Sql, script: Script): Promise<boolean> => {
  await prepare(sql);
  const applied = await appliedHash(sql, script.name);
  if (applied === script.sha256) return false;
  if (applied !== null)
    throw new Error(`${script.name} was changed after it had been applied; put it back and write a new migration instead`);
  await run(sql, script);
  await recordApplied(sql, script.name, script.sha256);
  return true;
};

/** Replaces all functions in one transaction if any of them changed. Bodies are not checked, because they may call each other. */
const applyTransitions = async (sql: Sql, scripts: readonly Script[]): Promise<boolean> => {
  await prepare(sql);
  const hash = sha256(scripts.map((script) => script.sha256).join());
  if ((await appliedHash(sql, TRANSITIONS)) === hash) return false;
  await skipBodyChecks(sql);
  for (const script of scripts) await run(sql, script);
  await recordApplied(sql, TRANSITIONS, hash);
  return true;
};

export type MigrateOptions = {
  url: string;
  folder: string;
  /** For a database newer than this code, whose functions older ones must not replace: `refuse` throws, `leave` changes nothing. */
  newer?: 'refuse' | 'leave';
};

/** Migrates a database to the schema in `folder`: migrations in order, each in its own transaction, then the transitions. */
export const migrate = async ({ url, folder, newer = 'refuse' }: MigrateOptions): Promise<{ applied: string[]; newer: string | null }> => {
  const migrations = await readScripts(join(folder, 'migrations'));
  const transitions = await readScripts(join(folder, TRANSITIONS));
  const sql = openPool(url, { connectMs: 10_000, session: { lock_timeout: 60_000 } });
  try {
    const applied: string[] = [];
    const unknown = await sql.begin((tx) => findNewer(tx, migrations));
    if (unknown !== null && newer === 'leave') return { applied, newer: unknown };
    if (unknown !== null)
      throw new Error(
        `The database is newer than this code: it has ${unknown}, which this code does not have. Use the version of the code that applied it`,
      );
    for (const script of migrations) if (await sql.begin((tx) => applyMigration(tx, script))) applied.push(script.name);
    if (await sql.begin((tx) => applyTransitions(tx, transitions))) applied.push(TRANSITIONS);
    if (applied.length > 0) await analyze(sql);
    return { applied, newer: null };
  } finally {
    await sql.end();
  }
};
