import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { secretHash } from '../../functions/domain/secrets.ts';
import { createPool } from '../../functions/platform/pool.ts';
import { createDatabase } from '../support/backend.ts';
import { run } from '../support/processes.ts';

const KEY = /mak_[\w-]{20,}/;

const databaseForTest = async () => {
  const { url, drop } = await createDatabase();
  const sql = createPool({ DATABASE_URL: url, DATABASE_POOL_SIZE: 1, DATABASE_PREPARE: false });
  onTestFinished(async () => {
    await sql.end();
    await drop();
  });
  return { url, sql };
};

const migrated = async (url: string) => {
  const { child, output } = run(['local/migrate.ts'], { DATABASE_URL: url });
  const [code] = await once(child, 'close');
  return { code, output: output() };
};

describe('npm run migrate with a DATABASE_URL', { timeout: 60_000 }, () => {
  it('prints the admin key once for a database without an organization', async () => {
    const { url, sql } = await databaseForTest();

    const first = await migrated(url);
    const second = await migrated(url);

    const key = KEY.exec(first.output)?.[0] ?? '';
    const keys = await sql`select name, user_id is not null as is_of_a_user from api_keys where key_hash = ${secretHash(key)}`;
    expect([...keys]).toEqual([{ name: 'admin', is_of_a_user: true }]);
    expect(second.output).not.toMatch(KEY);
    expect([first.code, second.code]).toEqual([0, 0]);
  });

  it('creates no key if an organization exists', async () => {
    const { url, sql } = await databaseForTest();
    await sql`insert into organizations (name) values ('ours')`;

    const { output, code } = await migrated(url);

    expect(output).not.toMatch(KEY);
    expect(code).toBe(0);
    expect([...(await sql`select from api_keys`)]).toEqual([]);
  });
});
