import { join } from 'node:path';
import { migrate } from '../functions/platform/migrate.ts';
import { openPool } from '../functions/platform/pool.ts';
import { startThrowawayPostgres } from '../local/postgres/throwaway.ts';
import { type Env, parseEnv } from '../schema/env.ts';

const SCHEMA = join(import.meta.dirname, '../schema');

/** The settings of one machine. */
export const SETTINGS = { DATABASE_POOL_SIZE: '10', DATABASE_PREPARE: 'true', LOG_LEVEL: 'error' };

export const createDatabase = async (serverUrl: string, name: string): Promise<string> => {
  const admin = openPool(serverUrl);
  await admin.unsafe(`create database ${name}`);
  await admin.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
};

/** The environment of a backend with a new, migrated database. */
export const freshDatabase = async (serverUrl: string, name: string): Promise<Env> => {
  const url = await createDatabase(serverUrl, name);
  await migrate({ url, folder: SCHEMA });
  return parseEnv({ ...SETTINGS, DATABASE_URL: url, SECRET_KEY: 'a secret for the bench that is long enough' });
};

export const withServer = async <T>(profile: 'test' | 'durable', work: (url: string) => Promise<T>): Promise<T> => {
  const server = await startThrowawayPostgres(profile);
  try {
    return await work(server.url);
  } finally {
    await server.stop();
  }
};
