import type { Socket } from 'node:net';
import type { Rows } from '../../domain/ports/sql.ts';
import type { Sent } from '../sql.ts';
import { postgres } from './driver.ts';
import { openSocket, type Target } from './target.ts';
import { driverTypes, encode } from './values.ts';

/** The connection to the database was lost, or could not be made in time. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

const lostBy = (cause: Error) => new ConnectionLost(`The database is out of reach: ${cause.message}`, { cause });

/** An error that PostgreSQL replied, with its SQLSTATE as `code`. */
export type Refusal = Error & { code: string; severity: string };
export const isRefusal = (error: unknown): error is Refusal => error instanceof postgres.PostgresError;

/** Rows, and which command returned them. */
export type Answer = Rows<unknown[]> & { command: string };
type DriverRows = unknown[] & { count: number | null; command: string | null };

type DriverOptions = Exclude<Parameters<typeof postgres>[0], string | undefined>;

export type ConnectionSettings = {
  prepare: boolean;
  /** How long connecting may take. */
  connectMs: number;
  /** How long nothing may be answered while a statement waits, before the socket is closed; without it, forever. */
  answerMs?: number | undefined;
  session: Record<string, string | number>;
};
export type Connection = {
  readonly openedAt: number;
  isLost(): boolean;
  send(sent: Sent): Promise<Answer>;
  /** Lets statements that were sent be answered first, for at most this long. */
  close(withinMs: number): Promise<void>;
};

const answerOf = (result: DriverRows | DriverRows[]): Answer => {
  const last = (Array.isArray(result[0]) ? result.at(-1) : result) as DriverRows;
  return Object.assign([...last], { count: last.count ?? 0, command: last.command ?? '' });
};

/**
 * One connection, made when its first statement is sent, and never made again: each client of the driver has one socket in its life, so
 * that nothing of a lost connection reaches the next one. A loss settles all statements at once, whatever the driver does with them.
 */
export const openConnection = (target: Target, settings: ConnectionSettings, onLost: () => void): Connection => {
  const { prepare, connectMs, answerMs, session } = settings;
  const failures = new Set<(error: ConnectionLost) => void>();
  let socket: Socket | undefined;
  let lost: ConnectionLost | null = null;
  let timer: NodeJS.Timeout | undefined;
  let isAccepted = false;
  let password = '';

  const lose = (cause: Error) => {
    if (lost !== null) return;
    lost = lostBy(cause);
    clearTimeout(timer);
    socket?.destroy();
    for (const fail of failures) fail(lost);
    failures.clear();
    onLost();
  };
  /** Begins the time again in which something must be answered. The timer is kept for the next statement, which costs less than a new one. */
  const watch = () => {
    const limitMs = isAccepted ? answerMs : connectMs;
    if (lost !== null || limitMs === undefined) clearTimeout(timer);
    else if (timer !== undefined) timer.refresh();
    else timer = setTimeout(silent, limitMs, limitMs).unref(); // what waits has a socket, which keeps the process
  };
  const silent = (limitMs: number) => {
    timer = undefined;
    if (failures.size > 0) lose(new Error(`no answer within ${limitMs} ms`));
  };
  const accepted = () => {
    if (isAccepted) return;
    isAccepted = true;
    clearTimeout(timer); // that of connecting
    timer = undefined;
    watch();
  };
  const dial = async (): Promise<Socket> => {
    if (lost !== null || socket !== undefined) throw new Error('The connection has ended');
    password = await target.password();
    return openSocket(target, (it) => {
      socket = it;
      if (lost !== null) it.destroy();
    });
  };
  const options = {
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    password: () => password,
    socket: dial,
    ssl: false, // the socket has it
    max: 1,
    prepare,
    types: driverTypes,
    fetch_types: false,
    max_pipeline: Number.MAX_SAFE_INTEGER, // the pool decides what is sent at once
    connect_timeout: 0,
    idle_timeout: 0,
    max_lifetime: null,
    backoff: false,
    no_subscribe: true,
    onnotice: () => {},
    onparameter: accepted, // the first message after the server has accepted us
    onclose: () => lose(new Error('the connection was closed')),
    connection: { application_name: 'multi-agent-on-the-web', options: optionsOf(target, session) },
  };
  const client = postgres(options as unknown as DriverOptions); // its types lack some of what it takes

  const send = ({ text, values }: Sent): Promise<Answer> =>
    new Promise((resolve, reject) => {
      if (lost !== null) return reject(lost);
      // What has no parameters may be several statements, which only the simple protocol takes.
      const query = values.length > 0 ? client.unsafe(text, values.map(encode) as never[], { prepare }) : client.unsafe(text);
      failures.add(reject);
      const settle = () => {
        failures.delete(reject);
        watch();
      };
      query.then(
        (result) => {
          resolve(answerOf(result));
          settle();
        },
        (error: Error) => {
          const isOver = !isRefusal(error) || error.severity === 'FATAL' || error.severity === 'PANIC';
          if (isRefusal(error)) reject(error);
          if (isOver) lose(error);
          settle();
        },
      );
      if (failures.size === 1) watch();
    });

  return {
    openedAt: performance.now(),
    isLost: () => lost !== null,
    send,
    close: async (withinMs) => {
      await client.end({ timeout: withinMs / 1_000 });
      lose(new Error('the pool was closed'));
    },
  };
};

const optionsOf = ({ options }: Target, session: Record<string, string | number>): string => {
  const own = Object.entries({ TimeZone: 'UTC', ...session }).map(([name, value]) => `-c ${name}=${value}`);
  return [...own, ...(options === '' ? [] : [options])].join(' ');
};
