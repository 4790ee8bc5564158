import type { ApiKey, ApiKeySpec } from '../../../schema/api-key.ts';
import type { Caller } from '../principal.ts';
import { json, type Sql } from '../ports/sql.ts';

const columns = (sql: Sql) => sql`
  api_key_id, name, scopes, coalesce(user_id, api_key_id) as owner_id, hint, created_at, revoked_at`;

export const insertApiKey = async (
  sql: Sql,
  organizationId: string,
  spec: ApiKeySpec,
  hash: Buffer,
  hint: string,
  userId: string | null = null,
) => {
  const [key] = await sql<[ApiKey]>`
    insert into api_keys (organization_id, user_id, name, scopes, key_hash, hint)
    values (${organizationId}, ${userId}, ${spec.name}, ${json(spec.scopes)}, ${hash}, ${hint})
    returning ${columns(sql)}`;
  return key;
};

/** The callers that own these keys, each with the hash of its key in hex; unknown and revoked keys are left out. */
export const findCallers = (sql: Sql, hashes: readonly string[]) => sql<(Caller & { hash: string })[]>`
  select 'caller' as kind, organization_id, api_key_id as principal_id, coalesce(user_id, api_key_id) as owner_id, scopes,
    encode(key_hash, 'hex') as hash
  from api_keys
  where key_hash = any (${hashes.map((hash) => `\\x${hash}`)}::text[]::bytea[]) and revoked_at is null`;

export const listApiKeys = (
  sql: Sql,
  organizationId: string,
  after: { time: string; id: string } | null,
  limit: number,
): Promise<ApiKey[]> =>
  sql<ApiKey[]>`
  select ${columns(sql)}
  from api_keys
  where organization_id = ${organizationId}
    ${after === null ? sql`` : sql`and (created_at, api_key_id) < (${after.time}::timestamptz, ${after.id})`}
  order by created_at desc, api_key_id desc
  limit ${limit}`;

export const revokeApiKey = async (sql: Sql, organizationId: string, apiKeyId: string): Promise<ApiKey | null> => {
  const [key] = await sql<ApiKey[]>`
    update api_keys
    set revoked_at = coalesce(revoked_at, clock_timestamp())
    where api_key_id = ${apiKeyId} and organization_id = ${organizationId}
    returning ${columns(sql)}`;
  return key ?? null;
};
