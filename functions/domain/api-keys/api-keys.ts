import type { ApiKeySpec } from '../../../schema/api-key.ts';
import { AppError } from '../../../schema/errors.ts';
import type { Context } from '../context.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { Caller } from '../principal.ts';
import { newSecret, secretHash } from '../secrets.ts';
import type { Unit } from '../unit-of-work.ts';
import * as rows from './api-keys.sql.ts';

type Keys = Pick<Context, 'sql'>;

/** Creates a key with at most the scopes of its creator. The key itself is returned here and never again. */
export const create = async ({ tx }: Unit, caller: Caller, spec: ApiKeySpec) => {
  const beyond = spec.scopes.filter((scope) => !caller.scopes.includes(scope));
  if (beyond.length > 0)
    throw new AppError('forbidden', `An API key can only create keys with scopes that it has; this key does not have ${beyond.join(', ')}`);
  const secret = newSecret('mak');
  const key = await rows.insertApiKey(tx, caller.organization_id, spec, secretHash(secret), secret.slice(0, 8));
  return { ...key, api_key: secret };
};

export const list = async (ctx: Keys, caller: Caller, { cursor, limit }: { cursor?: string | undefined; limit: number }) => {
  const found = await rows.listApiKeys(ctx.sql, caller.organization_id, timeCursor(cursor), limit + 1);
  return pageOf(found, limit, (last) => [last.created_at, last.api_key_id]);
};

export const revoke = async ({ tx }: Unit, caller: Caller, apiKeyId: string) => {
  const key = await rows.revokeApiKey(tx, caller.organization_id, apiKeyId);
  if (key === null) throw new AppError('api_key_not_found', 'No API key has this id');
  return key;
};
