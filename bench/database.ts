import { join } from 'node:path';
import { migrate } from '../functions/platform/migrate.ts';
import { openPool } from '../functions/platform/postgres.ts';
import { parseEnv } from '../schema/env.ts';

const SCHEMA = join(import.meta.dirname, '../schema');

/** Makes a migrated database on a server; returns the environment of a backend over it. */
export const freshDatabase = async (serverUrl: string, name: string, poolSize = 1) => {
  const admin = openPool(serverUrl);
  await admin.unsafe(`create database ${name}`);
  await admin.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await migrate({ url: url.href, folder: SCHEMA });
  return parseEnv({
    DATABASE_URL: url.href,
    SECRET_KEY: 'a secret for the bench that is long enough',
    DATABASE_POOL_SIZE: String(poolSize),
    DATABASE_PREPARE: 'true',
    LOG_LEVEL: 'error',
  });
};
