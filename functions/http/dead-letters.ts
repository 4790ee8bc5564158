import { ROUTES } from '../../schema/routes.ts';
import * as letters from '../domain/dead-letters/dead-letters.ts';
import { type Endpoint, endpoint } from './endpoint.ts';

export const deadLetterEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.listDeadLetters, ({ ctx, principal, query }) => letters.list(ctx, principal, query.queue)),
  endpoint(ROUTES.redriveDeadLetters, ({ ctx, body }) => letters.redrive(ctx, body.queue)),
];
