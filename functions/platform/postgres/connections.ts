import { AppError } from '../../../schema/errors.ts';
import { type Connection, ConnectionLost } from './connection.ts';

const IDLE_MS = 300_000;
const LIFE_MS = 3_600_000;
const END_MS = 5_000;
/** The maximum number of statements in flight on a shared connection. */
const DEPTH = 32;

export type LaneSettings = {
  /** The maximum number of connections that it holds. */
  most: number;
  /** Whether several requests use a connection at the same time, each with one statement. */
  shares: boolean;
  /** How many requests may wait for their first connection; further ones are refused at once. */
  waiting: number;
};
/** A request that uses a connection, once or several times. */
export type Asker = { hasBegun: boolean; signal: AbortSignal | undefined };
type Waiter = { take(connection: Connection): void; refuse(error: Error): void };
type LaneState = LaneSettings & {
  /** Requests that have used a connection before go first, so that started work can finish. */
  begun: Waiter[];
  queue: Waiter[];
  /** The connections that the lane holds, with the number of users of each. */
  held: Map<Connection, number>;
};

export type Connections<L extends string> = {
  /** Runs work with a connection of a lane; waits a limited time for a free one. */
  use<T>(lane: L, asker: Asker, work: (connection: Connection) => Promise<T>): Promise<T>;
  end(): Promise<void>;
};

export type ConnectionsSettings<L extends string> = {
  max: number;
  /** In the order in which they receive free connections. */
  lanes: Record<L, LaneSettings>;
  waitMs: number;
  open(onLost: () => void): Connection;
};

const overloaded = () => new AppError('unavailable', 'Too many requests are waiting; retry the request shortly');
const abandoned = () => new AppError('unavailable', 'The caller closed the connection, so the request was not carried out');

/** Requests that wait for a connection of a lane, each for at most `waitMs` and as long as its caller waits. */
class Waiters {
  readonly #waitMs: number;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  join(lane: LaneState, { hasBegun, signal }: Asker): Promise<Connection> {
    const queue = hasBegun ? lane.begun : lane.queue;
    if (!hasBegun && queue.length >= lane.waiting) return Promise.reject(overloaded());
    return new Promise((resolve, reject) => {
      const expire = () => waiter.refuse(new ConnectionLost(`No connection to the database became free within ${this.#waitMs} ms`));
      const limit = setTimeout(expire, this.#waitMs);
      const abandon = () => waiter.refuse(abandoned());
      const settle = () => {
        clearTimeout(limit);
        signal?.removeEventListener('abort', abandon);
      };
      const waiter: Waiter = {
        take: (connection) => {
          settle();
          resolve(connection);
        },
        refuse: (error) => {
          settle();
          const at = queue.indexOf(waiter);
          if (at >= 0) queue.splice(at, 1);
          reject(error);
        },
      };
      signal?.addEventListener('abort', abandon);
      queue.push(waiter);
    });
  }
}

const leastBusy = ({ held }: LaneState): Connection | null => {
  let [best, least] = [null as Connection | null, DEPTH];
  for (const [connection, users] of held) if (users < least && !connection.isLost()) [best, least] = [connection, users];
  return best;
};

class ConnectionPool<L extends string> implements Connections<L> {
  readonly #max: number;
  readonly #open: (onLost: () => void) => Connection;
  readonly #lanes: Record<L, LaneState>;
  readonly #inOrder: readonly LaneState[];
  readonly #waiters: Waiters;
  readonly #all = new Set<Connection>();
  readonly #idle: { connection: Connection; since: number }[] = [];
  #ending: PromiseWithResolvers<void> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor({ max, lanes, waitMs, open }: ConnectionsSettings<L>) {
    this.#max = max;
    this.#open = open;
    this.#lanes = Object.fromEntries(
      Object.entries<LaneSettings>(lanes).map(([name, lane]) => [name, { ...lane, begun: [], queue: [], held: new Map() }]),
    ) as unknown as Record<L, LaneState>;
    this.#inOrder = Object.values<LaneState>(this.#lanes);
    this.#waiters = new Waiters(waitMs);
  }

  async use<T>(name: L, asker: Asker, work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#ending !== null) throw new ConnectionLost('The pool of connections was closed');
    if (asker.signal?.aborted) throw abandoned();
    const lane = this.#lanes[name];
    const isFirst = lane.begun.length === 0 && (asker.hasBegun || lane.queue.length === 0);
    const connection = (isFirst ? this.#takeFor(lane) : null) ?? (await this.#waiters.join(lane, asker));
    asker.hasBegun = true;
    try {
      return await work(connection);
    } finally {
      this.#giveBack(lane, connection);
    }
  }

  async end(): Promise<void> {
    await (this.#ending ?? this.#beginEnd()).promise;
  }

  #beginEnd(): PromiseWithResolvers<void> {
    const ending = Promise.withResolvers<void>();
    this.#ending = ending;
    for (const lane of this.#inOrder)
      for (const waiter of [...lane.begun.splice(0), ...lane.queue.splice(0)])
        waiter.refuse(new ConnectionLost('The pool of connections was closed'));
    for (const { connection } of this.#idle.splice(0)) this.#drop(connection);
    clearTimeout(this.#timer);
    if (this.#all.size === 0) ending.resolve();
    const hurry = setTimeout(() => [...this.#all].forEach((connection) => void connection.close(0)), END_MS);
    void ending.promise.then(() => clearTimeout(hurry));
    return ending;
  }

  #takeFor(lane: LaneState): Connection | null {
    const connection = (lane.held.size < lane.most ? this.#findFree() : null) ?? (lane.shares ? leastBusy(lane) : null);
    if (connection !== null) lane.held.set(connection, (lane.held.get(connection) ?? 0) + 1);
    return connection;
  }

  #findFree(): Connection | null {
    const known = this.#idle.pop()?.connection;
    if (known !== undefined) return known;
    if (this.#all.size >= this.#max) return null;
    const connection = this.#open(() => this.#forget(connection));
    this.#all.add(connection);
    return connection;
  }

  #giveBack(lane: LaneState, connection: Connection) {
    const users = (lane.held.get(connection) ?? 1) - 1;
    if (users > 0) lane.held.set(connection, users);
    else {
      lane.held.delete(connection);
      this.#rest(connection);
    }
    this.#serve();
  }

  /** Keeps an unused connection for the next request, unless it is old. */
  #rest(connection: Connection) {
    const now = performance.now();
    if (this.#ending !== null || now - connection.openedAt > LIFE_MS) this.#drop(connection);
    else if (!connection.isLost()) this.#idle.push({ connection, since: now });
    this.#timer ??= setTimeout(() => this.#closeIdle(), IDLE_MS).unref();
  }

  /** Gives free connections to waiting requests. */
  #serve() {
    if (this.#ending !== null) return;
    for (const lane of this.#inOrder) {
      while (lane.begun.length + lane.queue.length > 0) {
        const connection = this.#takeFor(lane);
        if (connection === null) break;
        (lane.begun.shift() ?? lane.queue.shift())?.take(connection);
      }
    }
  }

  #closeIdle() {
    const before = performance.now() - IDLE_MS;
    for (const { connection } of this.#idle.filter(({ since }) => since <= before)) this.#drop(connection);
    this.#timer = this.#idle.length > 0 ? setTimeout(() => this.#closeIdle(), IDLE_MS).unref() : undefined;
  }

  /** Closes a connection that is not used any more; it is removed once it is closed. */
  #drop(connection: Connection) {
    this.#removeIdle(connection);
    void connection.close(END_MS);
  }

  #forget(connection: Connection) {
    this.#all.delete(connection);
    this.#removeIdle(connection);
    if (this.#ending !== null && this.#all.size === 0) this.#ending.resolve();
    this.#serve();
  }

  #removeIdle(connection: Connection) {
    const at = this.#idle.findIndex((it) => it.connection === connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

/** The connections of a pool and the requests that wait for one. A lost connection is removed, and a new one is opened when needed. */
export const createConnections = <L extends string>(settings: ConnectionsSettings<L>): Connections<L> => new ConnectionPool(settings);
