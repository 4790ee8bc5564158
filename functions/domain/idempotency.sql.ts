import { json, type Tx } from './ports/sql.ts';
import type { Caller } from './principal.ts';

export type StoredAnswer = { operation: string; request_hash: string; response: { plain: unknown } | { sealed: string } };

/** False when the key was used before; waits for a transaction that is using it. */
export const reserveKey = async (tx: Tx, caller: Caller, key: string, operation: string, hash: string): Promise<boolean> => {
  const reserved = await tx`
    insert into idempotency_keys (organization_id, principal_id, key, operation, request_hash)
    values (${caller.organization_id}, ${caller.principal_id}, ${key}, ${operation}, ${hash})
    on conflict do nothing`;
  return reserved.count === 1;
};

export const storedAnswer = async (tx: Tx, caller: Caller, key: string): Promise<StoredAnswer> => {
  const [stored] = await tx<[StoredAnswer]>`
    select operation, request_hash, response
    from idempotency_keys
    where organization_id = ${caller.organization_id} and principal_id = ${caller.principal_id} and key = ${key}`;
  return stored;
};

export const storeAnswer = (tx: Tx, caller: Caller, key: string, response: StoredAnswer['response']) => tx`
  update idempotency_keys
  set response = ${json(response)}
  where organization_id = ${caller.organization_id} and principal_id = ${caller.principal_id} and key = ${key}`;
