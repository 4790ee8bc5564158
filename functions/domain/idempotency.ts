import { AppError } from '../../schema/errors.ts';
import type { Vault } from './ports/vault.ts';
import type { Caller } from './principal.ts';
import { reserveKey, storeAnswer, type StoredAnswer, storedAnswer } from './idempotency.sql.ts';
import type { Unit } from './unit-of-work.ts';

/** A caller's request under its Idempotency-Key; the hash covers everything that makes two requests different. */
export type OnceRequest = { key: string; operation: string; hash: string; secret: boolean };
/** The answer of the first request under a key, for a repeated request; a different request is refused. */
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
 * Carries out a caller's request once for its key, in the transaction of its effect: a repeated request gets the same
 * answer, a different one under the key is refused. A second request waits for the first. Errors are not stored.
 */
export const once = async <T>(
  { tx }: Unit,
  ctx: { vault: Vault },
  caller: Caller,
  request: OnceRequest,
  work: () => Promise<T>,
): Promise<T> => {
  if (!(await reserveKey(tx, caller, request.key, request.operation, request.hash)))
    return repeated(ctx, await storedAnswer(tx, caller, request.key), request) as T;
  const answer = await work();
  const response = request.secret ? { sealed: ctx.vault.seal(JSON.stringify(answer)) } : { plain: answer };
  await storeAnswer(tx, caller, request.key, response);
  return answer;
};
