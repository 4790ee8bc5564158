import type { Sql } from './ports/sql.ts';

/** Reads once for several requests that arrive at the same time; equal keys mean equal answers. */
export type SharedReads = <T>(key: readonly unknown[], read: (sql: Sql) => Promise<T>) => Promise<T>;

/**
 * Requests that arrive while their key is being read share the next read, which starts when the current one has ended. So no request
 * gets data that was read before it arrived, and a hundred dashboards with the same list cost at most two reads at a time. Each read
 * gets its own connection handle from `open`, since the first request may be aborted. Callers must not change an answer.
 */
export const createSharedReads = (open: () => Sql): SharedReads => {
  const current = new Map<string, Promise<unknown>>();
  const following = new Map<string, Promise<unknown>>();

  const begin = async <T>(name: string, read: (sql: Sql) => Promise<T>): Promise<T> => {
    const answer = (async () => read(open()))(); // sends the statement even if nobody awaits it
    current.set(name, answer);
    try {
      return await answer;
    } finally {
      current.delete(name);
    }
  };
  const follow = async <T>(name: string, before: Promise<unknown>, read: (sql: Sql) => Promise<T>): Promise<T> => {
    await before.catch(() => {}); // the requests of that read get its error
    following.delete(name);
    return begin(name, read);
  };

  return <T>(key: readonly unknown[], read: (sql: Sql) => Promise<T>): Promise<T> => {
    const name = JSON.stringify(key);
    const before = current.get(name);
    const next = (following.get(name) ?? (before && follow(name, before, read)) ?? begin(name, read)) as Promise<T>;
    if (before) following.set(name, next);
    return next;
  };
};
