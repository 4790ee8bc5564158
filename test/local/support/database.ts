import { randomUUID } from 'node:crypto';
import { inject, onTestFinished } from 'vitest';
import { openPool } from '../../../functions/platform/pool.ts';

/** An empty database for the running test. */
export const emptyDatabase = async () => {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const admin = openPool(inject('databaseUrl'));
  await admin.unsafe(`create database ${name} template template0`);
  const url = new URL(inject('databaseUrl'));
  url.pathname = `/${name}`;
  const sql = openPool(url.href);
  onTestFinished(async () => {
    await sql.end();
    await admin.unsafe(`drop database if exists ${name} with (force)`);
    await admin.end();
  });
  return { url: url.href, sql };
};
