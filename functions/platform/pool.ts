import type { Env } from '../../schema/env.ts';
import type { Lane, Pool } from '../domain/ports/pool.ts';
import type { Sql } from '../domain/ports/sql.ts';
import { type Answer, type Connection, ConnectionLost, isRefusal, openConnection } from './postgres/connection.ts';
import { type Asker, createConnections, type LaneSettings } from './postgres/connections.ts';
import { targetOf } from './postgres/target.ts';
import { createSql, type Run, type Sent } from './sql.ts';

export { ConnectionLost };

/** The stack of an error ends in the socket; it is to begin where the statement was sent. */
const rethrow = (error: unknown): never => {
  if (error instanceof ConnectionLost) throw new ConnectionLost(error.message, { cause: error.cause });
  if (isRefusal(error)) Error.captureStackTrace(error);
  throw error;
};

type Send = (sent: Sent) => Promise<Answer>;
const sendOn =
  (connection: Connection): Send =>
  (sent) =>
    connection.send(sent).catch(rethrow);

/** One statement after the other, also where they are sent at once; none after the end. */
const oneByOne = (send: Send) => {
  let last: Promise<unknown> = Promise.resolve();
  let isOver = false;
  return {
    send: (sent: Sent): Promise<Answer> => {
      if (isOver) return Promise.reject(new Error('The transaction of this statement has ended'));
      const answer = last.then(() => send(sent));
      last = answer.catch(() => {});
      return answer;
    },
    end: () => {
      isOver = true;
    },
  };
};

const statement = (text: string): Sent => ({ text, values: [] });
const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
const begin = (requestId: string | null) =>
  statement(requestId === null ? 'begin' : `begin; select set_config('maw.request_id', ${quote(requestId)}, true)`);

const inTransaction = async <T>(connection: Connection, requestId: string | null, work: (send: Send) => Promise<T>): Promise<T> => {
  const { send, end } = oneByOne(sendOn(connection));
  await send(begin(requestId));
  try {
    const result = await work(send);
    const { command } = await send(statement('commit'));
    if (command !== 'COMMIT') throw new Error('A statement of the transaction had failed, so it was rolled back');
    return result;
  } catch (error) {
    if (!connection.isLost()) await send(statement('rollback'));
    throw error;
  } finally {
    end();
  }
};

export type PoolSettings = {
  max?: number;
  /** Statements are prepared under names, which a transaction pooler may not carry. */
  prepare?: boolean;
  connectMs?: number;
  /** How long a connection may answer nothing while a statement waits, before it is closed. */
  answerMs?: number;
  /** Settings of the session, such as `lock_timeout`. */
  session?: Record<string, string | number>;
  /** Requests that may wait for a connection, of those that read and of the others; without it, any number. */
  waiting?: number;
};

/** From this number of connections on, each lane has a share of its own. */
const SHARED_FROM = 4;

/**
 * The lanes, first those that get a connection first. Callers and reads, which may come in any number, leave a quarter of the
 * connections to workers and to what is inside, and workers leave one to each of them.
 */
const lanesOf = (max: number, waiting: number): Record<Lane, LaneSettings> => {
  const isShared = max < SHARED_FROM;
  const share = (most: number) => (isShared ? max : most);
  return {
    inside: { most: max, shares: false, waiting: Number.POSITIVE_INFINITY },
    workers: { most: share(max - 2), shares: false, waiting: Number.POSITIVE_INFINITY },
    callers: { most: share(Math.floor(max / 2)), shares: false, waiting },
    reads: { most: share(Math.floor(max / 4)), shares: !isShared, waiting },
  };
};

/** Connections to a database, made when they are needed. */
export const openPool = (url: string, settings: PoolSettings = {}): Pool => {
  const { max = 1, prepare = true, connectMs = 5_000, answerMs, session = {}, waiting = Number.POSITIVE_INFINITY } = settings;
  const target = targetOf(url);
  const open = (onLost: () => void) => openConnection(target, { prepare, connectMs, answerMs, session }, onLost);
  const connections = createConnections<Lane>({ max, lanes: lanesOf(max, waiting), waitMs: connectMs, open });
  let statements = 0;
  const counted =
    (run: Run): Run =>
    (sent) => {
      statements++;
      return run(sent);
    };
  const make = (requestId: string | null, lane: Lane, asker: Asker): Pool => {
    const run: Run = (sent) => connections.use(lane, asker, (connection) => sendOn(connection)(sent));
    return Object.assign(createSql(counted(run), requestId), {
      signal: asker.signal,
      of: (requestId: string | null, { lane = 'inside', signal }: { lane?: Lane; signal?: AbortSignal | undefined } = {}) =>
        make(requestId, lane, { hasBegun: false, signal }),
      begin: <T>(work: (sql: Sql) => Promise<T>) => {
        statements += 2;
        // A transaction takes a connection for itself.
        return connections.use(lane === 'reads' ? 'callers' : lane, asker, (connection) =>
          inTransaction(connection, requestId, (send) => work(createSql(counted(send), requestId))),
        );
      },
      counted: () => statements,
      end: () => connections.end(),
    });
  };
  return make(null, 'inside', { hasBegun: false, signal: undefined });
};

/**
 * Before PostgreSQL 18 a plan that is held to its indexes counts as costly, and each of its runs is compiled first: on 15 that
 * made the hot transitions about twenty times slower.
 */
const NO_JIT = { jit: 'off' };

/** Requests that wait for each connection: about half a second of what it carries out. */
const WAITING_EACH = 16;

type Bounds = Pick<Env, 'DATABASE_POOL_SIZE'> & Partial<Pick<Env, 'DATABASE_MOST_WAITING'>>;

/** How many requests of callers may wait for the database. */
export const mostWaiting = (env: Bounds): number => env.DATABASE_MOST_WAITING || env.DATABASE_POOL_SIZE * WAITING_EACH;

/**
 * The pool of the backend. Nothing waits for ever: not for a connection, a lock or a statement, and a transaction that a
 * frozen Lambda left open ends by itself.
 */
export const createPool = (env: Pick<Env, 'DATABASE_URL' | 'DATABASE_PREPARE'> & Bounds): Pool =>
  openPool(env.DATABASE_URL, {
    max: env.DATABASE_POOL_SIZE,
    prepare: env.DATABASE_PREPARE,
    waiting: mostWaiting(env),
    answerMs: 10_000,
    session: { ...NO_JIT, statement_timeout: 5_000, lock_timeout: 4_000, idle_in_transaction_session_timeout: 5_000 },
  });

/** SQLSTATE classes that say: the database can't answer now, and may later. */
const AWAY = /^(08|53|57|55P03|40001|40P01)/;

export const isDatabaseAway = (error: unknown): boolean =>
  error instanceof ConnectionLost || (isRefusal(error) && AWAY.test(error.code ?? ''));
