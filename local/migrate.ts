import { join } from 'node:path';
import { bootstrap } from '../functions/domain/organizations/organizations.ts';
import { migrate } from '../functions/platform/migrate.ts';
import { createPool } from '../functions/platform/pool.ts';
import { loadEnvFile } from './env-file.ts';
import { startPostgres } from './postgres.ts';
import { readStandaloneEnv } from './standalone-env.ts';

const folder = join(import.meta.dirname, '../schema');
const printApplied = ({ applied }: { applied: string[] }) =>
  process.stdout.write(applied.length > 0 ? `applied: ${applied.join(', ')}\n` : 'nothing to do\n');

const print = (text: string) =>
  new Promise<void>((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });

/**
 * Migrates the database of a standalone installation. The admin key is printed before it is committed, so that no key exists that
 * nobody has seen.
 */
const makeAdminKey = async (url: string) => {
  const sql = createPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1, DATABASE_PREPARE: false });
  try {
    await bootstrap({ sql }, (key) => print(`admin key, shown this once:\n${key}\n`));
  } finally {
    await sql.end();
  }
};

/** The database at DATABASE_URL, or else that of the standalone installation on this machine. */
const main = async () => {
  loadEnvFile();
  const { DATABASE_URL: url } = process.env;
  if (url) {
    printApplied(await migrate({ url, folder }));
    return makeAdminKey(url);
  }
  const { MAW_DATA: data } = readStandaloneEnv({ MAW_DATA: process.env.MAW_DATA });
  const postgres = await startPostgres({ folder: data, say: (line) => process.stdout.write(`${line}\n`) });
  try {
    printApplied(await migrate({ url: postgres.url, folder }));
  } finally {
    await postgres.stop();
  }
};

try {
  await main();
} catch (error) {
  process.stderr.write(`Not migrated: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
