import * as z from 'zod';
import { ApiKey, ApiKeySpec } from '../api-key.ts';
import { Id, PageQuery, page } from '../common.ts';
import { route } from '../route.ts';

const shared = { access: 'keys:write', tag: 'keys' } as const;

export const createApiKey = route({
  ...shared,
  name: 'createApiKey',
  method: 'POST',
  path: '/api/v1/api-keys',
  summary: 'Create an API key. It is returned only once, and is the owner of the tasks that are submitted with it',
  body: ApiKeySpec,
  output: ApiKey.extend({ api_key: z.string() }),
  status: 201,
  errors: ['forbidden'],
  idempotent: true,
  secret: true,
});

export const listApiKeys = route({
  ...shared,
  name: 'listApiKeys',
  method: 'GET',
  path: '/api/v1/api-keys',
  summary: 'List API keys, newest first',
  query: z.strictObject(PageQuery),
  output: page(ApiKey),
  status: 200,
  errors: [],
});

export const revokeApiKey = route({
  ...shared,
  name: 'revokeApiKey',
  method: 'DELETE',
  path: '/api/v1/api-keys/{api_key_id}',
  summary: 'Revoke an API key',
  params: z.strictObject({ api_key_id: Id }),
  output: ApiKey,
  status: 200,
  errors: ['api_key_not_found'],
  idempotent: true,
});
