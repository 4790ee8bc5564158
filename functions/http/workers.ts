import { ROUTES } from '../../schema/routes.ts';
import * as attempts from '../domain/attempts/attempts.ts';
import { heartbeat } from '../domain/attempts/heartbeat.ts';
import * as enrolment from '../domain/enrolment/enrolment.ts';
import * as workers from '../domain/workers/workers.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { wantedVersion } from './etag.ts';

export const workerEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.createEnrolmentToken, ({ ctx, principal, body }) => enrolment.createToken(ctx, principal, body)),
  endpoint(ROUTES.registerWorker, ({ ctx, principal, body }) => enrolment.register(ctx, principal.token, body)),
  endpoint(ROUTES.listWorkers, ({ ctx, principal, query }) => workers.list(ctx, principal, query)),
  endpoint(ROUTES.getWorker, ({ ctx, principal, params }) => workers.get(ctx, principal, params.worker_id)),
  endpoint(ROUTES.updateWorker, ({ ctx, principal, params, body: { version, ...change }, headers }) =>
    workers.update(ctx, principal, params.worker_id, wantedVersion(version, headers['if-match']), change),
  ),
  endpoint(ROUTES.deleteWorker, ({ ctx, principal, params }) => workers.remove(ctx, principal, params.worker_id)),
  endpoint(ROUTES.heartbeat, ({ ctx, principal, body }) => heartbeat(ctx, principal, body)),
  endpoint(ROUTES.claimSubtasks, ({ ctx, principal, body }) => attempts.claim(ctx, principal, body)),
  endpoint(ROUTES.completeSubtasks, ({ ctx, principal, body }) => attempts.completeMany(ctx, principal, body)),
];
