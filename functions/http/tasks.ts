import { ROUTES } from '../../schema/routes.ts';
import * as subtasks from '../domain/subtasks/subtasks.ts';
import * as tasks from '../domain/tasks/tasks.ts';
import { type Endpoint, endpoint, transaction } from './endpoint.ts';
import { wantedVersion } from './etag.ts';

export const taskEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.submitTask, ({ ctx, principal, body, once }) => tasks.submit(ctx, principal, body, once)),
  endpoint(ROUTES.listTasks, ({ ctx, principal, query }) => tasks.list(ctx, principal, query)),
  endpoint(ROUTES.getTask, ({ ctx, principal, params }) => tasks.get(ctx, principal, params.task_id)),
  endpoint(ROUTES.listSubtasks, ({ ctx, principal, params, query }) => subtasks.list(ctx, principal, params.task_id, query)),
  transaction(ROUTES.addSubtasks, ({ unit, principal, params, body }) => tasks.addSubtasks(unit, principal, params.task_id, body)),
  endpoint(ROUTES.listEvents, ({ ctx, principal, params, query }) => tasks.events(ctx, principal, params.task_id, query)),
  transaction(ROUTES.updateTask, ({ unit, principal, params, body: { version, ...change }, headers }) =>
    tasks.update(unit, principal, params.task_id, wantedVersion(version, headers['if-match']), change),
  ),
  transaction(ROUTES.cancelTask, ({ unit, principal, params, body }) => tasks.cancel(unit, principal, params.task_id, body.reason)),
  transaction(ROUTES.pauseTask, ({ unit, principal, params }) => tasks.pause(unit, principal, params.task_id)),
  transaction(ROUTES.resumeTask, ({ unit, principal, params }) => tasks.resume(unit, principal, params.task_id)),
  transaction(ROUTES.retryTask, ({ unit, principal, params }) => tasks.retry(unit, principal, params.task_id), { wakesClock: true }),
  transaction(ROUTES.deleteTask, ({ unit, principal, params }) => tasks.remove(unit, principal, params.task_id), { wakesClock: true }),
];
