import { ROUTES } from '../../schema/routes.ts';
import * as subtasks from '../domain/subtasks/subtasks.ts';
import * as tasks from '../domain/tasks/tasks.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { wantedVersion } from './etag.ts';

export const taskEndpoints: readonly Endpoint[] = [
  endpoint(ROUTES.submitTask, ({ ctx, principal, body, once }) => tasks.submit(ctx, principal, body, once), { heedsKey: true }),
  endpoint(ROUTES.listTasks, ({ ctx, principal, query }) => tasks.list(ctx, principal, query)),
  endpoint(ROUTES.getTask, ({ ctx, principal, params }) => tasks.get(ctx, principal, params.task_id)),
  endpoint(ROUTES.listSubtasks, ({ ctx, principal, params, query }) => subtasks.list(ctx, principal, params.task_id, query)),
  endpoint(ROUTES.addSubtasks, ({ ctx, principal, params, body }) => tasks.addSubtasks(ctx, principal, params.task_id, body)),
  endpoint(ROUTES.listEvents, ({ ctx, principal, params, query }) => tasks.events(ctx, principal, params.task_id, query)),
  endpoint(ROUTES.updateTask, ({ ctx, principal, params, body: { version, ...change }, headers }) =>
    tasks.update(ctx, principal, params.task_id, wantedVersion(version, headers['if-match']), change),
  ),
  endpoint(ROUTES.cancelTask, ({ ctx, principal, params, body }) => tasks.cancel(ctx, principal, params.task_id, body.reason)),
  endpoint(ROUTES.pauseTask, ({ ctx, principal, params }) => tasks.pause(ctx, principal, params.task_id)),
  endpoint(ROUTES.resumeTask, ({ ctx, principal, params }) => tasks.resume(ctx, principal, params.task_id)),
  endpoint(ROUTES.retryTask, ({ ctx, principal, params }) => tasks.retry(ctx, principal, params.task_id)),
  endpoint(ROUTES.deleteTask, ({ ctx, principal, params }) => tasks.remove(ctx, principal, params.task_id)),
];
