import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPool } from '../../../functions/platform/pool.ts';
import { setUp } from '../../../functions/platform/set-up.ts';
import { createDatabase } from '../../support/backend.ts';

const SCHEMA = join(import.meta.dirname, '../../../schema');

const databaseForTest = async () => {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  return database.url;
};

describe('the set-up of a deployment', () => {
  it('stores the key of its administrator in the secret, the first time only', async () => {
    const url = await databaseForTest();
    const kept: unknown[] = [];
    const call = async (service: string, target: string, body: object) => void kept.push([service, target, body]);

    expect(await setUp(url, SCHEMA, 'the-secret', call)).toMatchObject({ is_new: true });
    expect(await setUp(url, SCHEMA, 'the-secret', call)).toEqual({ applied: [], newer: null, is_new: false });

    const secret = { SecretId: 'the-secret', SecretString: expect.stringMatching(/^mak_/) };
    expect(kept).toEqual([['secretsmanager', 'secretsmanager.PutSecretValue', secret]]);
  });

  it('does not change a newer database, and does not fail', async () => {
    const url = await databaseForTest();
    const sql = openPool(url);
    await sql`insert into schema_migrations (name, sha256) values ('9999_later.sql', 'x')`;
    await sql.end();

    expect(await setUp(url, SCHEMA, 'the-secret', async () => {})).toMatchObject({ applied: [], newer: '9999_later.sql' });
  });

  it('creates no administrator if the key cannot be stored', async () => {
    const url = await databaseForTest();

    await expect(setUp(url, SCHEMA, 'the-secret', () => Promise.reject(new Error('no such secret')))).rejects.toThrow('no such secret');

    const sql = openPool(url);
    expect(await sql`select from organizations`).toHaveLength(0);
    await sql.end();
  });
});
