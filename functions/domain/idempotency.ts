import { AppError } from '../../schema/errors.ts';
import type { Vault } from './ports/vault.ts';
import type { Caller } from './principal.ts';
import { json, type Tx } from './ports/sql.ts';
import type { Unit } from './unit-of-work.ts';

/** A caller's request under its Idempotency-Key; the hash is of all that matters in it. */
export type OnceRequest = { key: string; operation: string; hash: string; secret: boolean };
export type StoredAnswer = { operation: string; request_hash: string; response: { plain: unknown } | { sealed: string } };

const reserveKey = async (tx: Tx, caller: Caller, { key, operation, hash }: OnceRequest): Promise<boolean> => {
  const reserved = await tx`
    insert into idempotency_keys (organization_id, principal_id, key, operation, request_hash)
    values (${caller.organization_id}, ${caller.principal_id}, ${key}, ${operation}, ${hash})
    on conflict do nothing`;
  return reserved.count === 1;
};

const storedAnswer = async (tx: Tx, caller: Caller, key: string): Promise<StoredAnswer> => {
  const [stored] = await tx<[StoredAnswer]>`
    select operation, request_hash, response
    from idempotency_keys
    where organization_id = ${caller.organization_id} and principal_id = ${caller.principal_id} and key = ${key}`;
  return stored;
};

const storeAnswer = (tx: Tx, caller: Caller, key: string, response: StoredAnswer['response']) => tx`
  update idempotency_keys
  set response = ${json(response)}
  where organization_id = ${caller.organization_id} and principal_id = ${caller.principal_id} and key = ${key}`;

/** The answer of the first request under a key, for the same request again; another request is refused. */
export const repeated = ({ vault }: { vault: Vault }, stored: StoredAnswer, request: OnceRequest | null): unknown => {
  if (stored.operation !== request?.operation || stored.request_hash !== request.hash)
    throw new AppError(
      'idempotency_key_reused',
      'This Idempotency-Key was already used with a different request; use a new key for a new request',
    );
  const { response } = stored;
  return 'sealed' in response ? JSON.parse(vault.open(response.sealed)) : response.plain;
};

/**
 * Carries out a caller's request once for its key, in the transaction of its effect: the same request again gets the
 * same answer, another one under the key is refused. A second request waits for the first. Errors are not kept.
 */
export const once = async <T>(
  { tx }: Unit,
  ctx: { vault: Vault },
  caller: Caller,
  request: OnceRequest,
  work: () => Promise<T>,
): Promise<T> => {
  if (!(await reserveKey(tx, caller, request))) return repeated(ctx, await storedAnswer(tx, caller, request.key), request) as T;
  const answer = await work();
  const response = request.secret ? { sealed: ctx.vault.seal(JSON.stringify(answer)) } : { plain: answer };
  await storeAnswer(tx, caller, request.key, response);
  return answer;
};
