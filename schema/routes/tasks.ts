import * as z from 'zod';
import { Id, PageQuery, page, queryInt } from '../common.ts';
import { Event } from '../events.ts';
import { atMostBytes, JsonObject, LIMITS } from '../json.ts';
import { route } from '../route.ts';
import { SubtaskStatus, TaskStatus } from '../states.ts';
import { AddSubtasks, Priority, Subtask, Task, TaskSpec } from '../task.ts';

const one = { tag: 'tasks', status: 200, params: z.strictObject({ task_id: Id }) } as const;
const read = { ...one, method: 'GET', access: 'tasks:read' } as const;
const write = { ...one, method: 'POST', access: 'tasks:write', idempotent: true } as const;
const Nothing = z.strictObject({});

export const submitTask = route({
  name: 'submitTask',
  method: 'POST',
  path: '/api/v1/tasks',
  access: 'tasks:write',
  tag: 'tasks',
  summary: 'Submit a task: a plain goal, or a DAG of subtasks',
  body: TaskSpec,
  output: Task,
  status: 201,
  errors: ['invalid_dag'],
  idempotent: true,
});

export const listTasks = route({
  name: 'listTasks',
  method: 'GET',
  path: '/api/v1/tasks',
  access: 'tasks:read',
  tag: 'tasks',
  summary: 'List tasks, newest first, optionally by status and by words in their goals or those of their subtasks',
  query: z.strictObject({
    status: TaskStatus.optional(),
    q: z
      .string()
      .trim()
      .min(1)
      .max(200)
      .optional()
      .describe('Words that must all occur. English words match by stem, Chinese text matches as written'),
    ...PageQuery,
  }),
  output: page(Task),
  status: 200,
  errors: [],
});

export const getTask = route({
  ...read,
  name: 'getTask',
  path: '/api/v1/tasks/{task_id}',
  summary: 'Get a task',
  output: Task,
  errors: ['task_not_found'],
  etag: true,
});

export const listSubtasks = route({
  ...read,
  name: 'listSubtasks',
  path: '/api/v1/tasks/{task_id}/subtasks',
  summary: 'List the subtasks of a task in the order in which they were submitted',
  query: z.strictObject({ status: SubtaskStatus.optional(), limit: queryInt(1, LIMITS.long_page, 200), cursor: PageQuery.cursor }),
  output: page(Subtask),
  errors: ['task_not_found'],
});

export const addSubtasks = route({
  ...write,
  name: 'addSubtasks',
  path: '/api/v1/tasks/{task_id}/subtasks',
  summary: 'Add subtasks to a task that has not ended; they may depend on its existing subtasks',
  body: AddSubtasks,
  output: Task,
  status: 201,
  errors: ['task_not_found', 'task_ended', 'invalid_dag'],
});

export const listEvents = route({
  ...read,
  name: 'listEvents',
  path: '/api/v1/tasks/{task_id}/events',
  summary: 'List the events of a task in order, starting after a sequence number',
  query: z.strictObject({ after_seq: queryInt(0, 1_000_000_000, 0), limit: queryInt(1, LIMITS.long_page, 200) }),
  output: z.object({ items: z.array(Event), last_seq: z.int().describe('The sequence number of the latest event of the task') }),
  errors: ['task_not_found'],
});

export const updateTask = route({
  ...write,
  name: 'updateTask',
  method: 'PATCH',
  path: '/api/v1/tasks/{task_id}',
  summary: 'Update priority, metadata or on_failure, if the task still has the given version',
  body: z
    .strictObject({
      version: z.int().min(1).optional().describe('The version to change, as it was read. The If-Match header can be sent instead'),
      priority: Priority.optional(),
      metadata: atMostBytes(JsonObject, LIMITS.metadata_bytes).optional(),
      on_failure: z.enum(['fail_task', 'continue']).optional(),
    })
    .refine(({ version: _, ...change }) => Object.keys(change).length > 0, 'must change at least one of priority, metadata, on_failure')
    .describe('At least one of priority, metadata, on_failure'),
  output: Task,
  errors: ['task_not_found', 'task_ended', 'version_conflict'],
  etag: true,
});

export const cancelTask = route({
  ...write,
  name: 'cancelTask',
  path: '/api/v1/tasks/{task_id}/cancel',
  summary: 'Cancel a task and all of its subtasks that have not ended; cancelling it again has no further effect',
  body: z.strictObject({ reason: z.string().max(LIMITS.reason_characters).default('') }),
  optionalBody: true,
  output: Task,
  errors: ['task_not_found', 'task_ended'],
});

export const pauseTask = route({
  ...write,
  name: 'pauseTask',
  path: '/api/v1/tasks/{task_id}/pause',
  summary: 'Pause a task: running subtasks continue, no new ones are claimed',
  body: Nothing,
  optionalBody: true,
  output: Task,
  errors: ['task_not_found', 'task_ended'],
});

export const resumeTask = route({
  ...write,
  name: 'resumeTask',
  path: '/api/v1/tasks/{task_id}/resume',
  summary: 'Resume a paused task',
  body: Nothing,
  optionalBody: true,
  output: Task,
  errors: ['task_not_found', 'task_ended'],
});

export const retryTask = route({
  ...write,
  name: 'retryTask',
  path: '/api/v1/tasks/{task_id}/retry',
  summary: 'Retry a task: open a new run of the subtasks that failed, were cancelled or were skipped; completed ones are kept',
  body: Nothing,
  optionalBody: true,
  output: Task,
  errors: ['task_not_found', 'task_not_ended', 'nothing_to_retry'],
});

export const deleteTask = route({
  ...write,
  name: 'deleteTask',
  method: 'DELETE',
  path: '/api/v1/tasks/{task_id}',
  summary: 'Delete a task that has ended, with its subtasks, events, logs and artifacts',
  output: z.object({ task_id: Id, deleted: z.literal(true) }),
  errors: ['task_not_found', 'task_not_ended'],
});
