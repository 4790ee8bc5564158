import { ROUTES } from '../../schema/routes.ts';
import * as apiKeys from '../domain/api-keys/api-keys.ts';
import { type Endpoint, endpoint, transaction } from './endpoint.ts';

export const apiKeyEndpoints: readonly Endpoint[] = [
  transaction(ROUTES.createApiKey, ({ unit, principal, body }) => apiKeys.create(unit, principal, body)),
  endpoint(ROUTES.listApiKeys, ({ ctx, principal, query }) => apiKeys.list(ctx, principal, query)),
  transaction(ROUTES.revokeApiKey, ({ unit, principal, params }) => apiKeys.revoke(unit, principal, params.api_key_id)),
];
