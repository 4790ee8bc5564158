import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPool } from '../../../functions/platform/postgres.ts';
import { setUp } from '../../../functions/platform/set-up.ts';
import { createDatabase } from '../../support/backend.ts';

const SCHEMA = join(import.meta.dirname, '../../../schema');

const databaseForTest = async () => {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  return database.url;
};

describe('the set-up of a deployment', () => {
  it('puts the key of its administrator into the secret, the first time only', async () => {
    const url = await databaseForTest();
    const kept: unknown[] = [];
    const call = async (service: string, target: string, body: object) => void kept.push([service, target, body]);

    expect(await setUp(url, SCHEMA, 'the-secret', call)).toMatchObject({ is_new: true });
    expect(await setUp(url, SCHEMA, 'the-secret', call)).toEqual({ applied: [], is_new: false });

    const secret = { SecretId: 'the-secret', SecretString: expect.stringMatching(/^mak_/) };
    expect(kept).toEqual([['secretsmanager', 'secretsmanager.PutSecretValue', secret]]);
  });

  it('makes no administrator whose key can not be kept', async () => {
    const url = await databaseForTest();

    await expect(setUp(url, SCHEMA, 'the-secret', () => Promise.reject(new Error('no such secret')))).rejects.toThrow('no such secret');

    const sql = openPool(url);
    expect(await sql`select from organizations`).toHaveLength(0);
    await sql.end();
  });
});
