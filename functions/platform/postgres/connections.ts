import { AppError } from '../../../schema/errors.ts';
import { type Connection, ConnectionLost } from './connection.ts';

const IDLE_MS = 300_000;
const LIFE_MS = 3_600_000;
const END_MS = 5_000;
/** Statements that one connection carries at once in a lane that shares. */
const DEPTH = 32;

export type LaneSettings = {
  /** Connections that it may hold at once. */
  most: number;
  /** Whether several use a connection at once, each with one statement. */
  shares: boolean;
  /** How many requests may wait for their first connection; what comes then is refused at once. */
  waiting: number;
};
/** Who asks for connections, once or several times. */
export type Asker = { hasBegun: boolean; signal: AbortSignal | undefined };
type Waiter = { take(connection: Connection): void; refuse(error: Error): void };
type LaneState = LaneSettings & {
  /** Who had a connection before goes first: what was begun is to end. */
  begun: Waiter[];
  queue: Waiter[];
  /** What it holds, and for how many each. */
  held: Map<Connection, number>;
};

export type Connections<L extends string> = {
  /** Runs work with a connection of a lane; waits for one that is free, but not forever. */
  use<T>(lane: L, asker: Asker, work: (connection: Connection) => Promise<T>): Promise<T>;
  end(): Promise<void>;
};

export type ConnectionsSettings<L extends string> = {
  max: number;
  /** In the order in which they get what becomes free. */
  lanes: Record<L, LaneSettings>;
  waitMs: number;
  open(onLost: () => void): Connection;
};

const overloaded = () => new AppError('unavailable', 'Too many requests are waiting; retry the request shortly');
const abandoned = () => new AppError('unavailable', 'The caller closed the connection, so the request was not carried out');

/** The connections of a pool, and who waits for one. A lost connection is forgotten, and a new one is opened when it is needed. */
export const createConnections = <L extends string>({ max, lanes: given, waitMs, open }: ConnectionsSettings<L>): Connections<L> => {
  const lanes = Object.fromEntries(
    Object.entries<LaneSettings>(given).map(([name, lane]) => [name, { ...lane, begun: [], queue: [], held: new Map() }]),
  ) as unknown as Record<L, LaneState>;
  const inOrder = Object.values<LaneState>(lanes);
  const all = new Set<Connection>();
  const idle: { connection: Connection; since: number }[] = [];
  let ending: PromiseWithResolvers<void> | null = null;
  let timer: NodeJS.Timeout | undefined;

  const removeIdle = (connection: Connection) => {
    const at = idle.findIndex((it) => it.connection === connection);
    if (at >= 0) idle.splice(at, 1);
  };
  const forget = (connection: Connection) => {
    all.delete(connection);
    removeIdle(connection);
    if (ending !== null && all.size === 0) ending.resolve();
    serve();
  };
  /** It is forgotten once it is closed, and used by nobody until then. */
  const drop = (connection: Connection) => {
    removeIdle(connection);
    void connection.close(END_MS);
  };

  const closeIdle = () => {
    const before = performance.now() - IDLE_MS;
    for (const { connection } of idle.filter(({ since }) => since <= before)) drop(connection);
    timer = idle.length > 0 ? setTimeout(closeIdle, IDLE_MS).unref() : undefined;
  };

  const findFree = (): Connection | null => {
    const known = idle.pop()?.connection;
    if (known !== undefined) return known;
    if (all.size >= max) return null;
    const connection = open(() => forget(connection));
    all.add(connection);
    return connection;
  };
  const leastBusy = ({ held }: LaneState): Connection | null => {
    let [best, least] = [null as Connection | null, DEPTH];
    for (const [connection, users] of held) if (users < least && !connection.isLost()) [best, least] = [connection, users];
    return best;
  };
  const takeFor = (lane: LaneState): Connection | null => {
    const connection = (lane.held.size < lane.most ? findFree() : null) ?? (lane.shares ? leastBusy(lane) : null);
    if (connection !== null) lane.held.set(connection, (lane.held.get(connection) ?? 0) + 1);
    return connection;
  };
  /** Gives what is free to those that wait. */
  const serve = () => {
    if (ending !== null) return;
    for (const lane of inOrder) {
      while (lane.begun.length + lane.queue.length > 0) {
        const connection = takeFor(lane);
        if (connection === null) break;
        (lane.begun.shift() ?? lane.queue.shift())?.take(connection);
      }
    }
  };
  const giveBack = (lane: LaneState, connection: Connection) => {
    const users = (lane.held.get(connection) ?? 1) - 1;
    if (users > 0) lane.held.set(connection, users);
    else {
      lane.held.delete(connection);
      const now = performance.now();
      if (ending !== null || now - connection.openedAt > LIFE_MS) drop(connection);
      else if (!connection.isLost()) idle.push({ connection, since: now });
      timer ??= setTimeout(closeIdle, IDLE_MS).unref();
    }
    serve();
  };
  const waitFor = (lane: LaneState, { hasBegun, signal }: Asker): Promise<Connection> =>
    new Promise((resolve, reject) => {
      const queue = hasBegun ? lane.begun : lane.queue;
      if (!hasBegun && queue.length >= lane.waiting) return reject(overloaded());
      const late = () => waiter.refuse(new ConnectionLost(`No connection to the database became free within ${waitMs} ms`));
      const limit = setTimeout(late, waitMs);
      const leave = () => waiter.refuse(abandoned());
      const settle = () => {
        clearTimeout(limit);
        signal?.removeEventListener('abort', leave);
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
      signal?.addEventListener('abort', leave);
      queue.push(waiter);
    });

  return {
    use: async (name, asker, work) => {
      if (ending !== null) throw new ConnectionLost('The pool of connections was closed');
      if (asker.signal?.aborted) throw abandoned();
      const lane = lanes[name];
      const isFirst = lane.begun.length === 0 && (asker.hasBegun || lane.queue.length === 0);
      const connection = (isFirst ? takeFor(lane) : null) ?? (await waitFor(lane, asker));
      asker.hasBegun = true;
      try {
        return await work(connection);
      } finally {
        giveBack(lane, connection);
      }
    },
    end: async () => {
      if (ending === null) {
        ending = Promise.withResolvers<void>();
        for (const lane of inOrder)
          for (const waiter of [...lane.begun.splice(0), ...lane.queue.splice(0)])
            waiter.refuse(new ConnectionLost('The pool of connections was closed'));
        for (const { connection } of idle.splice(0)) drop(connection);
        clearTimeout(timer);
        if (all.size === 0) ending.resolve();
        const hurry = setTimeout(() => [...all].forEach((connection) => void connection.close(0)), END_MS);
        void ending.promise.then(() => clearTimeout(hurry));
      }
      await ending.promise;
    },
  };
};
