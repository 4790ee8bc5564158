import postgres from 'postgres';
import type { Env } from '../../schema/env.ts';
import type { Pool } from '../domain/sql.ts';

/** Times stay text, in UTC and to the microsecond: keyset cursors compare them again. */
const time = {
  to: 1184,
  from: [1184],
  serialize: (value: string) => value,
  parse: (text: string) => `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`,
};
const bigint = { to: 20, from: [20], serialize: String, parse: Number };

/**
 * The pool of connections. Nothing waits for ever: not for a connection, a lock or a statement, and a transaction that
 * a frozen Lambda left open ends by itself.
 */
export const createPool = (env: Pick<Env, 'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'DATABASE_PREPARE'>): Pool =>
  postgres(env.DATABASE_URL, {
    max: env.DATABASE_POOL_SIZE,
    prepare: env.DATABASE_PREPARE,
    connect_timeout: 3,
    idle_timeout: 300,
    max_lifetime: 3_600,
    backoff: (tries: number) => Math.min(0.05 * 2 ** tries, 1) * (0.5 + Math.random() / 2),
    onnotice: () => {},
    types: { time, bigint },
    connection: {
      application_name: 'multi-agent-on-the-web',
      TimeZone: 'UTC',
      statement_timeout: 5_000,
      lock_timeout: 4_000,
      idle_in_transaction_session_timeout: 5_000,
    },
  });

/** SQLSTATE classes and driver codes that say: the database can't answer now, and may later. */
const AWAY = /^(08|53|57|55P03|40001|40P01|CONNECT|ECONN|ENOTFOUND|EPIPE|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN)/;

export const isDatabaseAway = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && AWAY.test(error.code);
