import { ROUTES } from '../../schema/routes.ts';
import * as apiKeys from '../domain/api-keys/api-keys.ts';
import { type Endpoint, endpoint } from './endpoint.ts';

export const apiKeyEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.createApiKey, ({ ctx, principal, body }) => apiKeys.create(ctx, principal, body)),
  endpoint(ROUTES.listApiKeys, ({ ctx, principal, query }) => apiKeys.list(ctx, principal, query)),
  endpoint(ROUTES.revokeApiKey, ({ ctx, principal, params }) => apiKeys.revoke(ctx, principal, params.api_key_id)),
];
