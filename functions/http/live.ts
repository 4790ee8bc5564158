import { ROUTES } from '../../schema/routes.ts';
import * as workers from '../domain/workers/workers.ts';
import { issue } from '../domain/live/tickets.ts';
import { type Endpoint, endpoint } from './endpoint.ts';

export const liveEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.createTicket, ({ ctx, principal: { organization_id, principal_id, owner_id } }) =>
    issue(ctx, { kind: 'caller', id: principal_id, organization_id, owner_id }),
  ),
  endpoint(ROUTES.createWorkerTicket, async ({ ctx, principal: { organization_id, worker_id } }) => {
    await workers.checkEnrolled(ctx, { organization_id, worker_id });
    return issue(ctx, { kind: 'worker', id: worker_id, organization_id, owner_id: null });
  }),
];
