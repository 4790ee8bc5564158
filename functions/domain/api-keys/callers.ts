import { createGather } from '../gather.ts';
import type { Sql } from '../ports/sql.ts';
import type { Caller } from '../principal.ts';
import { findCallers } from './api-keys.sql.ts';

/** Finds the caller that owns a key, by the SHA-256 of the key in hex; null when it is unknown or revoked. */
export type Callers = { find(keyHash: string): Promise<Caller | null> };

/** Keys in one statement; more wait only when far more callers ask at once than connections can serve. */
const MOST = 200;
/** A second statement may run beside one that takes long. */
const AT_ONCE = 2;

/**
 * Finds callers by their keys. Each request asks the database, so that a revoked key is refused at once; requests that arrive
 * together share one statement.
 */
export const createCallers = (sql: Sql): Callers => ({
  find: createGather(
    async (hashes: readonly string[]) => {
      const found = await findCallers(sql, [...new Set(hashes)]);
      const byHash = new Map(found.map(({ hash, ...caller }) => [hash, caller]));
      return hashes.map((hash) => byHash.get(hash) ?? null);
    },
    { most: MOST, atOnce: AT_ONCE },
  ),
});
