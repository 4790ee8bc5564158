import { describe, expect, it, onTestFinished } from 'vitest';
import { isDatabaseUnavailable, openPool } from '../../../functions/platform/pool.ts';
import { createDatabase } from '../../support/backend.ts';

const failureOf = async (statement: string, session: Record<string, string | number> = {}) => {
  const { url, drop } = await createDatabase();
  const sql = openPool(url, { session });
  onTestFinished(async () => {
    await sql.end();
    await drop();
  });
  return sql.unsafe(statement).catch((error: unknown) => error);
};

/** Fails with an SQLSTATE, raised by Postgres itself. */
const raise = (code: string) => `do $$ begin raise exception 'as asked' using errcode = '${code}'; end $$`;

describe('a database', () => {
  it.each([
    ['has too many connections', raise('53300')],
    ['is shut down', raise('57P01')],
    ['is starting up', raise('57P03')],
    ['is out of disk', raise('53100')],
    ['can not give a lock in time', raise('55P03')],
    ['gave a transaction up for a deadlock', raise('40P01')],
    ['gave a transaction up for another one', raise('40001')],
    ['ends the connection', 'select pg_terminate_backend(pg_backend_pid())'],
  ])('that %s is temporarily unavailable', async (_, statement) => {
    expect(isDatabaseUnavailable(await failureOf(statement))).toBe(true);
  });

  it('that takes too long for a statement is temporarily unavailable', async () => {
    expect(isDatabaseUnavailable(await failureOf('select pg_sleep(30)', { statement_timeout: 20 }))).toBe(true);
  });

  it.each([
    ['a wrong statement', 'selec'],
    ['a table that is not there', 'select * from nowhere'],
    [
      'a value twice',
      "insert into organizations (organization_id, name) select organization_id, 'x' from gen_random_uuid() organization_id, generate_series(1, 2)",
    ],
    ['a broken constraint', "insert into users (organization_id, email) values (gen_random_uuid(), 'x')"],
    ['a division by zero', 'select 1 / 0'],
  ])('that refuses %s is not unavailable', async (_, statement) => {
    const failure = await failureOf(statement);

    expect(failure).toBeInstanceOf(Error);
    expect(isDatabaseUnavailable(failure)).toBe(false);
  });

  it('has nothing to do with other errors', () => {
    expect(isDatabaseUnavailable(new Error('a bug'))).toBe(false);
    expect(isDatabaseUnavailable(Object.assign(new Error('a file'), { code: 'ENOENT' }))).toBe(false);
    expect(isDatabaseUnavailable(null)).toBe(false);
  });
});
