import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Env } from '../../schema/env.ts';
import type { Pool, Sql } from '../domain/sql.ts';
import { createRdsToken } from './rds-token.ts';
import { createSql, type Run } from './statement.ts';

const END_MS = 5_000;

/** Times stay text, in UTC and to the microsecond: keyset cursors compare them again. */
const time = (text: string) => `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`;
const PARSERS = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, Number],
  [pg.types.builtins.TIMESTAMPTZ, time],
]);
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => PARSERS.get(oid) ?? pg.types.getTypeParser(oid, format),
};

/** The connection to the database was lost, or could not be made in time. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

const isAnswer = (error: unknown): error is pg.DatabaseError => error instanceof pg.DatabaseError;

/** After an error that Postgres answered the connection is good; after any other nobody knows, and it is closed. */
const rethrow = (error: unknown): never => {
  if (isAnswer(error)) Error.captureStackTrace(error); // its own ends in the socket
  throw isAnswer(error) ? error : new ConnectionLost(`The database is out of reach: ${(error as Error).message}`, { cause: error });
};

const names = new Map<string, string>();
/** One name for one text: a connection prepares it once. */
const nameOf = (text: string): string => {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 24);
  names.set(text, name);
  return name;
};

/** Statements of a code base are few; those without values may be scripts, which can't be prepared. */
const runOn =
  (client: pg.ClientBase, prepare: boolean): Run =>
  async ({ text, values }) => {
    const query = prepare && values.length > 0 ? { name: nameOf(text), text, values } : { text, values };
    const answer: pg.QueryResult | pg.QueryResult[] = await client.query(query).catch(rethrow);
    const last = Array.isArray(answer) ? answer.at(-1) : answer;
    return Object.assign(last?.rows ?? [], { count: last?.rowCount ?? 0 });
  };

const withClient = async <T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
  const client = await pool.connect().catch(rethrow);
  try {
    const answer = await work(client);
    client.release();
    return answer;
  } catch (error) {
    client.release(error instanceof ConnectionLost);
    throw error;
  }
};

const begin = (requestId: string | null) =>
  requestId === null ? 'begin' : `begin; select set_config('maw.request_id', ${pg.escapeLiteral(requestId)}, true)`;

const inTransaction = async <T>(client: pg.PoolClient, requestId: string | null, work: () => Promise<T>): Promise<T> => {
  await client.query(begin(requestId)).catch(rethrow);
  try {
    const answer = await work();
    await client.query('commit').catch(rethrow);
    return answer;
  } catch (error) {
    if (!(error instanceof ConnectionLost)) await client.query('rollback').catch(rethrow);
    throw error;
  }
};

export type PoolSettings = {
  max?: number;
  /** Statements are prepared under names, which a transaction pooler may not carry. */
  prepare?: boolean;
  connectMs?: number;
  /** How long a statement may take before its connection is taken for dead. */
  answerMs?: number;
  /** Settings of the session, such as `lock_timeout`. */
  session?: Record<string, string | number>;
};

/** Where to connect and as whom. With `auth=iam` in the URL each connection gets a token of IAM for its password, over TLS. */
const targetOf = (url: string): pg.PoolConfig => {
  const at = new URL(url);
  if (at.searchParams.get('auth') !== 'iam') return { connectionString: url };
  const [hostname, port, user] = [at.hostname, Number(at.port || 5432), decodeURIComponent(at.username)];
  const token = createRdsToken();
  const password = () => token({ hostname, port, user });
  return { host: hostname, port, user, database: decodeURIComponent(at.pathname.slice(1)), ssl: { rejectUnauthorized: true }, password };
};

const connectTo = (url: string, { max = 1, connectMs = 5_000, answerMs, session = {} }: PoolSettings): pg.Pool => {
  const pool = new pg.Pool({
    ...targetOf(url),
    max,
    types,
    connectionTimeoutMillis: connectMs,
    ...(answerMs === undefined ? {} : { query_timeout: answerMs }),
    idleTimeoutMillis: 300_000,
    maxLifetimeSeconds: 3_600,
    keepAlive: true,
    application_name: 'multi-agent-on-the-web',
    options: Object.entries({ TimeZone: 'UTC', ...session })
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  // A connection that breaks is told by its statement, or leaves the pool; without listeners it would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
};

/** Connections to a database, made when they are needed. */
export const openPool = (url: string, settings: PoolSettings = {}): Pool => {
  const { prepare = false } = settings;
  const pool = connectTo(url, settings);
  let ended: Promise<void> | undefined;
  let statements = 0;
  const runOnCounted = (client: pg.ClientBase): Run => {
    const run = runOn(client, prepare);
    return (sent) => {
      statements++;
      return run(sent);
    };
  };
  const end = async () => {
    ended ??= pool.end();
    await Promise.race([ended, pause(END_MS, undefined, { ref: false })]);
  };
  const make = (requestId: string | null): Pool => {
    const sql = createSql((sent) => withClient(pool, (client) => runOnCounted(client)(sent)), requestId);
    return Object.assign(sql, {
      of: make,
      begin: <T>(work: (sql: Sql) => Promise<T>) => {
        statements += 2;
        return withClient(pool, (client) => inTransaction(client, requestId, () => work(createSql(runOnCounted(client), requestId))));
      },
      counted: () => statements,
      end,
    });
  };
  return make(null);
};

/**
 * Before PostgreSQL 18 a plan that is held to its indexes counts as costly, and each of its runs is compiled first: on 15 that
 * made the hot transitions about twenty times slower.
 */
const NO_JIT = { jit: 'off' };

/**
 * The pool of the backend. Nothing waits for ever: not for a connection, a lock or a statement, and a transaction that a
 * frozen Lambda left open ends by itself.
 */
export const createPool = (env: Pick<Env, 'DATABASE_URL' | 'DATABASE_POOL_SIZE' | 'DATABASE_PREPARE'>): Pool =>
  openPool(env.DATABASE_URL, {
    max: env.DATABASE_POOL_SIZE,
    prepare: env.DATABASE_PREPARE,
    answerMs: 10_000,
    session: { ...NO_JIT, statement_timeout: 5_000, lock_timeout: 4_000, idle_in_transaction_session_timeout: 5_000 },
  });

/** SQLSTATE classes that say: the database can't answer now, and may later. */
const AWAY = /^(08|53|57|55P03|40001|40P01)/;

export const isDatabaseAway = (error: unknown): boolean =>
  error instanceof ConnectionLost || (isAnswer(error) && AWAY.test(error.code ?? ''));
