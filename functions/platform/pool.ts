import type { Env } from '../../schema/env.ts';
import type { Lane, Pool } from '../domain/ports/pool.ts';
import type { Tx } from '../domain/ports/sql.ts';
import { type Answer, type Connection, ConnectionLost, isRefusal, openConnection } from './postgres/connection.ts';
import { type Asker, createConnections, type LaneSettings } from './postgres/connections.ts';
import { targetOf } from './postgres/target.ts';
import { createSql, type Run, type Sent } from './sql.ts';

export { ConnectionLost };

/** Replaces the stack, which points into the socket, with one that starts where the statement was sent. */
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

/** Sends statements one after another, even if they are issued concurrently; none after the end. */
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
  /** Whether to use named prepared statements, which a transaction pooler may not support. */
  prepare?: boolean;
  connectMs?: number;
  /** How long the server may send nothing while a statement waits, before the connection is closed. */
  answerMs?: number;
  /** Session settings, such as `lock_timeout`. */
  session?: Record<string, string | number>;
  /** How many requests may wait for a connection, separately for reads and for writes; if omitted, without limit. */
  waiting?: number;
};

/** With at least this number of connections, each lane has its own share. */
const SHARED_FROM = 4;

/**
 * The lanes, in the order in which they receive connections. Callers and reads, whose number is not limited, leave a quarter of the
 * connections to workers and internal work; workers leave one connection each to callers and reads.
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

/** Connections to a database, opened when they are needed. */
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
      begin: <T>(work: (tx: Tx) => Promise<T>) => {
        statements += 2;
        // A transaction needs a connection of its own.
        return connections.use(lane === 'reads' ? 'callers' : lane, asker, (connection) =>
          inTransaction(connection, requestId, (send) => work(createSql(counted(send), requestId) as Tx)),
        );
      },
      counted: () => statements,
      end: () => connections.end(),
    });
  };
  return make(null, 'inside', { hasBegun: false, signal: undefined });
};

/**
 * Before PostgreSQL 18, a plan that is forced to use indexes has a very high cost, so JIT compiles it for each execution: on version 15
 * this made the hot transitions about twenty times slower.
 */
const NO_JIT = { jit: 'off' };

/** Waiting requests per connection: about half a second of its work. */
const WAITING_EACH = 16;

type Bounds = Pick<Env, 'DATABASE_POOL_SIZE'> & Partial<Pick<Env, 'DATABASE_MOST_WAITING'>>;

/** How many requests of callers may wait for the database. */
export const mostWaiting = (env: Bounds): number => env.DATABASE_MOST_WAITING || env.DATABASE_POOL_SIZE * WAITING_EACH;

/**
 * The pool of the backend. Every wait is limited: for a connection, a lock or a statement. The server ends a transaction that a frozen
 * Lambda left open.
 */
export const createPool = (env: Pick<Env, 'DATABASE_URL' | 'DATABASE_PREPARE'> & Bounds): Pool =>
  openPool(env.DATABASE_URL, {
    max: env.DATABASE_POOL_SIZE,
    prepare: env.DATABASE_PREPARE,
    waiting: mostWaiting(env),
    answerMs: 10_000,
    session: { ...NO_JIT, statement_timeout: 5_000, lock_timeout: 4_000, idle_in_transaction_session_timeout: 5_000 },
  });

/** Prefixes of SQLSTATEs that mean that the database is temporarily unavailable. */
const UNAVAILABLE = /^(08|53|57|55P03|40001|40P01)/;

export const isDatabaseUnavailable = (error: unknown): boolean =>
  error instanceof ConnectionLost || (isRefusal(error) && UNAVAILABLE.test(error.code ?? ''));
