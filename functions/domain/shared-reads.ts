import type { Sql } from './ports/sql.ts';

/** Reads once what several requests ask for at the same time; equal keys mean equal answers. */
export type SharedReads = <T>(key: readonly unknown[], read: (sql: Sql) => Promise<T>) => Promise<T>;

/**
 * Requests that ask for what is being read just now share the next read, which begins when that one has ended: so nobody gets what was
 * read before he asked, and a hundred dashboards that show the same list cost two reads at a time. Each read gets a handle of its own
 * from `open`, since the request that was first may hang up. Nobody may change an answer.
 */
export const createSharedReads = (open: () => Sql): SharedReads => {
  const current = new Map<string, Promise<unknown>>();
  const following = new Map<string, Promise<unknown>>();

  const begin = async <T>(name: string, read: (sql: Sql) => Promise<T>): Promise<T> => {
    const answer = (async () => read(open()))(); // sends the statement, whoever awaits it
    current.set(name, answer);
    try {
      return await answer;
    } finally {
      current.delete(name);
    }
  };
  const follow = async <T>(name: string, before: Promise<unknown>, read: (sql: Sql) => Promise<T>): Promise<T> => {
    await before.catch(() => {}); // whoever asked for that read has its error
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
