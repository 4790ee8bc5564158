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

/** An error returned by PostgreSQL, with its SQLSTATE as `code`. */
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
  /** How long the server may send nothing while a statement waits, before the socket is closed; if omitted, without limit. */
  answerMs?: number | undefined;
  session: Record<string, string | number>;
};
export type Connection = {
  readonly openedAt: number;
  isLost(): boolean;
  send(sent: Sent): Promise<Answer>;
  /** Waits at most this long for the replies to statements that were sent. */
  close(withinMs: number): Promise<void>;
};

const answerOf = (result: DriverRows | DriverRows[]): Answer => {
  const last = (Array.isArray(result[0]) ? result.at(-1) : result) as DriverRows;
  return Object.assign([...last], { count: last.count ?? 0, command: last.command ?? '' });
};

/** The options of the driver that are the same for every connection. */
const FIXED_OPTIONS = {
  ssl: false, // the socket uses TLS already
  max: 1,
  types: driverTypes,
  fetch_types: false,
  max_pipeline: Number.MAX_SAFE_INTEGER, // the pool limits the statements in flight
  connect_timeout: 0,
  idle_timeout: 0,
  max_lifetime: null,
  backoff: false,
  no_subscribe: true,
  onnotice: () => {},
};

const sessionOptions = ({ options }: Target, session: Record<string, string | number>): string => {
  const own = Object.entries({ TimeZone: 'UTC', ...session }).map(([name, value]) => `-c ${name}=${value}`);
  return [...own, ...(options === '' ? [] : [options])].join(' ');
};

/** Whether the connection can carry no more statements after this error. */
const endsConnection = (error: Error): boolean => !isRefusal(error) || error.severity === 'FATAL' || error.severity === 'PANIC';

class DriverConnection implements Connection {
  readonly openedAt = performance.now();
  readonly #target: Target;
  readonly #settings: ConnectionSettings;
  readonly #onLost: () => void;
  readonly #client: ReturnType<typeof postgres>;
  /** Rejects the statements that wait for a reply. */
  readonly #failures = new Set<(error: ConnectionLost) => void>();
  #socket: Socket | undefined;
  #lost: ConnectionLost | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isAccepted = false;
  #password = '';

  constructor(target: Target, settings: ConnectionSettings, onLost: () => void) {
    this.#target = target;
    this.#settings = settings;
    this.#onLost = onLost;
    this.#client = postgres(this.#options() as unknown as DriverOptions); // the types of the driver lack some options
  }

  isLost = () => this.#lost !== null;

  send({ text, values }: Sent): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== null) return reject(this.#lost);
      this.#failures.add(reject);
      this.#query(text, values).then(
        (result) => {
          resolve(answerOf(result));
          this.#settle(reject);
        },
        (error: Error) => {
          if (isRefusal(error)) reject(error);
          if (endsConnection(error)) this.#lose(error);
          this.#settle(reject);
        },
      );
      if (this.#failures.size === 1) this.#watch();
    });
  }

  async close(withinMs: number): Promise<void> {
    await this.#client.end({ timeout: withinMs / 1_000 });
    this.#lose(new Error('the pool was closed'));
  }

  #options() {
    const { host, port, user, database } = this.#target;
    const { prepare, session } = this.#settings;
    return {
      ...FIXED_OPTIONS,
      host,
      port,
      user,
      database,
      prepare,
      password: () => this.#password,
      socket: () => this.#dial(),
      onparameter: () => this.#accept(), // the first message after the server has accepted us
      onclose: () => this.#lose(new Error('the connection was closed')),
      connection: { application_name: 'multi-agent-on-the-web', options: sessionOptions(this.#target, session) },
    };
  }

  async #dial(): Promise<Socket> {
    if (this.#lost !== null || this.#socket !== undefined) throw new Error('The connection has ended');
    this.#password = await this.#target.password();
    return openSocket(this.#target, (socket) => {
      this.#socket = socket;
      if (this.#lost !== null) socket.destroy();
    });
  }

  /** Text without parameters may contain several statements, which only the simple protocol accepts. */
  #query(text: string, values: readonly unknown[]): Promise<DriverRows | DriverRows[]> {
    const { prepare } = this.#settings;
    return values.length > 0 ? this.#client.unsafe(text, values.map(encode) as never[], { prepare }) : this.#client.unsafe(text);
  }

  #settle(reject: (error: ConnectionLost) => void) {
    this.#failures.delete(reject);
    this.#watch();
  }

  #accept() {
    if (this.#isAccepted) return;
    this.#isAccepted = true;
    clearTimeout(this.#timer); // the connect timeout
    this.#timer = undefined;
    this.#watch();
  }

  /** Restarts the reply timeout. The timer is reused for the next statement, which costs less than a new one. */
  #watch() {
    const { answerMs, connectMs } = this.#settings;
    const limitMs = this.#isAccepted ? answerMs : connectMs;
    if (this.#lost !== null || limitMs === undefined) clearTimeout(this.#timer);
    else if (this.#timer !== undefined) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#expire(limitMs), limitMs).unref(); // the socket keeps the process alive
  }

  #expire(limitMs: number) {
    this.#timer = undefined;
    if (this.#failures.size > 0) this.#lose(new Error(`no answer within ${limitMs} ms`));
  }

  #lose(cause: Error) {
    if (this.#lost !== null) return;
    const lost = lostBy(cause);
    this.#lost = lost;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
    for (const fail of this.#failures) fail(lost);
    this.#failures.clear();
    this.#onLost();
  }
}

/**
 * One connection, opened when its first statement is sent and never reopened: each client of the driver uses one socket only, so that no
 * state of a lost connection reaches the next one. A loss rejects all statements at once, whatever the driver does with them.
 */
export const openConnection = (target: Target, settings: ConnectionSettings, onLost: () => void): Connection =>
  new DriverConnection(target, settings, onLost);
