import { AppError } from '../../../schema/errors.ts';
import type { AddSubtasks, SubtaskSpec, Task, TaskSpec } from '../../../schema/task.ts';
import { SubtaskSpec as SubtaskSpecSchema } from '../../../schema/task.ts';
import type { TaskStatus } from '../../../schema/states.ts';
import type { Context } from '../context.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { OnceRequest } from '../idempotency.ts';
import { wakeClock } from '../outbox/wake.ts';
import type { Caller } from '../principal.ts';
import type { Sql, Tx } from '../ports/sql.ts';
import type { Unit } from '../unit-of-work.ts';
import { validateDag } from './dag.ts';
import * as rows from './tasks.sql.ts';

type Tasks = Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>;
type Who = Pick<Caller, 'organization_id'>;

const missing = () => new AppError('task_not_found', 'No task has this id');

/** Reads a task as the statements before, in the same transaction, have changed it. */
const readBack = async (sql: Sql, who: Who, taskId: string): Promise<Task> => {
  const task = await rows.findTask(sql, who.organization_id, taskId);
  if (task === null) throw missing();
  return task;
};

const lock = async (sql: Tx, who: Who, taskId: string): Promise<rows.LockedTask> => {
  const task = await rows.lockTask(sql, who.organization_id, taskId);
  if (task === null) throw missing();
  return task;
};

const lockOpen = async (sql: Tx, who: Who, taskId: string): Promise<rows.LockedTask> => {
  const task = await lock(sql, who, taskId);
  if (task.ended_at !== null)
    throw new AppError('task_ended', `The task has ended with the status ${task.status}; retry it to open a new run`);
  return task;
};

const positioned = (subtasks: readonly SubtaskSpec[], defaultTool: string, first: number): rows.NewSubtask[] =>
  subtasks.map((subtask, at) => ({ ...subtask, tool: subtask.tool ?? defaultTool, position: first + at }));

const subtasksOf = (spec: TaskSpec): readonly SubtaskSpec[] =>
  spec.subtasks ?? [SubtaskSpecSchema.parse({ key: 'main', goal: spec.goal, tool: spec.tool, input: spec.input, labels: spec.labels })];

/**
 * Stores a task with its DAG, or nothing at all, in one round trip; throws invalid_dag. With `once`, a repeated request gets the
 * answer of the first.
 */
export const submit = async (
  ctx: Tasks & Pick<Context, 'env' | 'vault' | 'isUnavailable' | 'submit'>,
  caller: Caller,
  spec: TaskSpec,
  once: OnceRequest | null = null,
): Promise<Task> => {
  const subtasks = subtasksOf(spec);
  const edges = validateDag(subtasks);
  const stored = positioned(subtasks, ctx.env.DEFAULT_TOOL, 0);
  await wakeClock(ctx);
  return ctx.submit({ ctx, caller, spec, subtasks: stored, edges, once });
};

/** Adds subtasks to a task that has not ended; those whose parents have all completed are ready at once. */
export const addSubtasks = async ({ tx, env }: Unit, caller: Caller, taskId: string, added: AddSubtasks): Promise<Task> => {
  const task = await lockOpen(tx, caller, taskId);
  const existing = await rows.listKeys(tx, taskId);
  const edges = validateDag(added.subtasks, { ...existing, edges: task.edge_count });
  await rows.addSubtasks(tx, taskId, positioned(added.subtasks, env.DEFAULT_TOOL, existing.keys.size), edges);
  await rows.recordEvents(tx, [
    {
      task_id: taskId,
      type: 'task.extended',
      message: `Subtasks added: ${added.subtasks.length}`,
      data: { keys: added.subtasks.map((it) => it.key) },
    },
  ]);
  return readBack(tx, caller, taskId);
};

export const get = async (ctx: Tasks, who: Who, taskId: string): Promise<Task> =>
  (await ctx.hints.readTask(who.organization_id, taskId)) ?? readBack(ctx.sql, who, taskId);

export const list = async (
  ctx: Pick<Context, 'reads'>,
  who: Who,
  filter: { status?: TaskStatus | undefined; q?: string | undefined; cursor?: string | undefined; limit: number },
) => {
  const { status, q, limit } = filter;
  const asked = { status, q, limit: limit + 1, after: timeCursor(filter.cursor) };
  const found = await ctx.reads(['tasks', who.organization_id, asked], (sql) => rows.listTasks(sql, who.organization_id, asked));
  return pageOf(found, limit, (last) => [last.created_at, last.task_id]);
};

export const events = async (ctx: Tasks, who: Who, taskId: string, { after_seq, limit }: { after_seq: number; limit: number }) => {
  const [task, items] = await Promise.all([
    rows.findTask(ctx.sql, who.organization_id, taskId),
    rows.listEvents(ctx.sql, who.organization_id, taskId, after_seq, limit),
  ]);
  if (task === null) throw missing();
  return { items, last_seq: Math.max(task.last_seq, items.at(-1)?.seq ?? 0) };
};

/** Changes a task if its version is still `version`; otherwise throws version_conflict. */
export const update = async ({ tx }: Unit, caller: Caller, taskId: string, version: number, change: rows.TaskChange): Promise<Task> => {
  const task = await lockOpen(tx, caller, taskId);
  if (task.version !== version)
    throw new AppError('version_conflict', `The task has version ${task.version}, not ${version}; read it again and repeat the request`);
  await rows.updateTask(tx, taskId, change);
  if (change.priority !== undefined && change.priority !== task.priority) {
    const waiting = await rows.removeFromQueue(tx, taskId);
    if (waiting.length > 0) await rows.enqueueSubtasks(tx, waiting);
  }
  await rows.recordEvents(tx, [
    { task_id: taskId, type: 'task.updated', message: 'The task was updated', data: { fields: Object.keys(change) } },
  ]);
  return readBack(tx, caller, taskId);
};

/** Cancels a task; one that is cancelled already is returned as it is. */
export const cancel = async ({ tx }: Unit, caller: Caller, taskId: string, reason: string): Promise<Task> => {
  const task = await lock(tx, caller, taskId);
  if (task.status === 'cancelled') return readBack(tx, caller, taskId);
  if (task.ended_at !== null) throw new AppError('task_ended', `The task has already ended with the status ${task.status}`);
  await rows.cancelTask(
    tx,
    taskId,
    reason || 'its task was cancelled',
    reason ? `The task was cancelled: ${reason}` : 'The task was cancelled',
  );
  return readBack(tx, caller, taskId);
};

const setPaused = async ({ tx }: Unit, caller: Caller, taskId: string, paused: boolean): Promise<Task> => {
  const task = await lockOpen(tx, caller, taskId);
  if (task.paused !== paused) {
    await rows.setPaused(tx, taskId, paused);
    await rows.writeReadyMessage(tx, taskId);
    await rows.recordEvents(tx, [
      paused
        ? { task_id: taskId, type: 'task.paused', message: 'The task was paused: running subtasks continue, no new ones are claimed' }
        : { task_id: taskId, type: 'task.resumed', message: 'The task was resumed' },
    ]);
  }
  return readBack(tx, caller, taskId);
};

export const pause = (unit: Unit, caller: Caller, taskId: string) => setPaused(unit, caller, taskId, true);
export const resume = (unit: Unit, caller: Caller, taskId: string) => setPaused(unit, caller, taskId, false);

/** Opens a new run of the subtasks that did not complete. Call wakeClock before this transaction. */
export const retry = async ({ tx }: Unit, caller: Caller, taskId: string): Promise<Task> => {
  const task = await lock(tx, caller, taskId);
  if (task.ended_at === null) throw new AppError('task_not_ended', `The task is ${task.status}; only a task that has ended can be retried`);
  if (task.status === 'completed') throw new AppError('nothing_to_retry', 'All subtasks of this task completed');
  await rows.renewTask(tx, taskId);
  const { reopened, ready } = await rows.reopenSubtasks(tx, taskId);
  if (ready.length > 0) await rows.enqueueSubtasks(tx, ready);
  await rows.recordEvents(tx, [
    {
      task_id: taskId,
      type: 'task.retried',
      message: `The task was retried; subtasks to run again: ${reopened}`,
      data: { subtask_count: reopened },
    },
  ]);
  return readBack(tx, caller, taskId);
};

/** Deletes a task that has ended. The clock, which must be awake for it, removes its files. */
export const remove = async ({ tx }: Unit, caller: Caller, taskId: string) => {
  const task = await lock(tx, caller, taskId);
  if (task.ended_at === null) throw new AppError('task_not_ended', `The task is ${task.status}; cancel it before deleting it`);
  await rows.deleteTask(tx, caller.organization_id, taskId);
  return { task_id: taskId, deleted: true as const };
};
