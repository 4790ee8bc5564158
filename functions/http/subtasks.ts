import { ROUTES } from '../../schema/routes.ts';
import * as artifacts from '../domain/artifacts/artifacts.ts';
import * as attempts from '../domain/attempts/attempts.ts';
import * as inputs from '../domain/attempts/inputs.ts';
import * as logs from '../domain/attempts/logs.ts';
import { explain } from '../domain/subtasks/explain.ts';
import * as subtasks from '../domain/subtasks/subtasks.ts';
import { type Endpoint, endpoint } from './endpoint.ts';

export const subtaskEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.getSubtask, ({ ctx, principal, params }) => subtasks.get(ctx, principal, params.subtask_id)),
  endpoint(ROUTES.listLogs, ({ ctx, principal, params, query }) => logs.list(ctx, principal, params.subtask_id, query)),
  endpoint(ROUTES.explainSubtask, ({ ctx, principal, params }) => explain(ctx, principal, params.subtask_id)),
  endpoint(ROUTES.listArtifacts, ({ ctx, principal, params }) => artifacts.list(ctx, principal, params.subtask_id)),
  endpoint(ROUTES.getArtifact, ({ ctx, principal, params }) => artifacts.get(ctx, principal, params.artifact_id)),
  endpoint(ROUTES.startSubtask, ({ ctx, principal, params, body }) => attempts.start(ctx, principal, { ...params, ...body })),
  endpoint(ROUTES.getInput, ({ ctx, principal, params }) => inputs.get(ctx, principal, params.subtask_id, params.key)),
  endpoint(ROUTES.appendLogs, ({ ctx, principal, params, body: { chunks, ...fence } }) =>
    logs.append(ctx, principal, { ...params, ...fence }, chunks),
  ),
  endpoint(ROUTES.createArtifact, ({ ctx, principal, params, body }) => artifacts.announce(ctx, principal, params.subtask_id, body)),
  endpoint(ROUTES.storeArtifact, ({ ctx, principal, params, body }) =>
    artifacts.confirm(ctx, principal, { subtask_id: params.subtask_id, ...body }, params.artifact_id),
  ),
  endpoint(ROUTES.completeSubtask, ({ ctx, principal, params, body }) => attempts.complete(ctx, principal, params.subtask_id, body)),
  endpoint(ROUTES.failSubtask, ({ ctx, principal, params, body }) => attempts.fail(ctx, principal, params.subtask_id, body)),
  endpoint(ROUTES.releaseSubtask, ({ ctx, principal, params, body }) => attempts.release(ctx, principal, { ...params, ...body })),
];
