import { expect, it } from 'vitest';
import { backendForTest } from '../../support/backend.ts';

it('a session of the backend compiles no plans, keeps UTC and limits every wait', async () => {
  const { sql } = (await backendForTest()).ctx;

  const [session] = await sql`
    select current_setting('jit') as jit, current_setting('timezone') as timezone,
      current_setting('statement_timeout') as statement_timeout, current_setting('lock_timeout') as lock_timeout,
      current_setting('idle_in_transaction_session_timeout') as idle_in_transaction`;

  expect(session).toEqual({ jit: 'off', timezone: 'UTC', statement_timeout: '5s', lock_timeout: '4s', idle_in_transaction: '5s' });
});
