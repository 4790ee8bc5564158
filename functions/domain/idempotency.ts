import { AppError } from '../../schema/errors.ts';
import type { Context } from './context.ts';
import type { Caller } from './principal.ts';
import { reserveKey, storeAnswer, type StoredAnswer, storedAnswer } from './idempotency.sql.ts';
import { commit } from './outbox/outbox.ts';

/** A caller's request under its Idempotency-Key; the hash is of all that matters in it. */
export type OnceRequest = { key: string; operation: string; hash: string; secret: boolean };

/** The answer of the first request under a key, for the same request again; another request is refused. */
export const repeated = ({ vault }: Pick<Context, 'vault'>, stored: StoredAnswer, request: OnceRequest | null): unknown => {
  if (stored.operation !== request?.operation || stored.request_hash !== request.hash)
    throw new AppError('idempotency_key_reused', 'This Idempotency-Key was used with another request; make a new key for a new request');
  const { response } = stored;
  return 'sealed' in response ? JSON.parse(vault.open(response.sealed)) : response.plain;
};

/**
 * Carries out a caller's request once for its key, in one transaction with its effect: the same request again gets the
 * same answer, another one under the key is refused. A second request waits for the first. Errors are not kept.
 */
export const once = <T>(ctx: Context, caller: Caller, request: OnceRequest, work: (ctx: Context) => Promise<T>): Promise<T> =>
  commit(ctx, async (sql) => {
    if (!(await reserveKey(sql, caller, request.key, request.operation, request.hash)))
      return repeated(ctx, await storedAnswer(sql, caller, request.key), request) as T;
    const answer = await work({ ...ctx, sql });
    const response = request.secret ? { sealed: ctx.vault.seal(JSON.stringify(answer)) } : { plain: answer };
    await storeAnswer(sql, caller, request.key, response);
    return answer;
  });
