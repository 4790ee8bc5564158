import { AppError } from '../../../schema/errors.ts';
import type { AddSubtasks, SubtaskSpec, Task, TaskSpec } from '../../../schema/task.ts';
import { SubtaskSpec as SubtaskSpecSchema } from '../../../schema/task.ts';
import type { TaskStatus } from '../../../schema/states.ts';
import type { Context } from '../context.ts';
import { pageOf, timeCursor } from '../page.ts';
import type { OnceRequest } from '../idempotency.ts';
import { commit } from '../outbox/outbox.ts';
import { orWakeLater } from '../outbox/wake.ts';
import type { Caller } from '../principal.ts';
import type { Sql } from '../ports/sql.ts';
import { validateDag } from './dag.ts';
import * as rows from './tasks.sql.ts';

type Tasks = Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>;
type Who = Pick<Caller, 'organization_id'>;

const missing = () => new AppError('task_not_found', 'There is no task with this id');

/** The statements before were sent without waiting; this one reads what they made. */
const readBack = async (sql: Sql, who: Who, taskId: string): Promise<Task> => {
  const task = await rows.findTask(sql, who.organization_id, taskId);
  if (task === null) throw missing();
  return task;
};

const lock = async (sql: Sql, who: Who, taskId: string): Promise<rows.LockedTask> => {
  const task = await rows.lockTask(sql, who.organization_id, taskId);
  if (task === null) throw missing();
  return task;
};

const lockOpen = async (sql: Sql, who: Who, taskId: string): Promise<rows.LockedTask> => {
  const task = await lock(sql, who, taskId);
  if (task.ended_at !== null) throw new AppError('task_ended', `The task has ended as ${task.status}; retry it to open a new run`);
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
  ctx: Tasks & Pick<Context, 'env' | 'vault' | 'isAway' | 'submit'>,
  caller: Caller,
  spec: TaskSpec,
  once: OnceRequest | null = null,
): Promise<Task> => {
  const subtasks = subtasksOf(spec);
  const edges = validateDag(subtasks);
  const stored = positioned(subtasks, ctx.env.DEFAULT_TOOL, 0);
  await orWakeLater(ctx, ctx.hints.bump());
  return ctx.submit({ ctx, caller, spec, subtasks: stored, edges, once });
};

/** Adds subtasks to a task that has not ended; those whose parents have all completed are ready at once. */
export const addSubtasks = (ctx: Tasks & Pick<Context, 'env'>, caller: Caller, taskId: string, added: AddSubtasks): Promise<Task> =>
  commit(ctx, async (sql) => {
    const task = await lockOpen(sql, caller, taskId);
    const existing = await rows.listKeys(sql, taskId);
    const edges = validateDag(added.subtasks, { ...existing, edges: task.edge_count });
    await rows.addSubtasks(sql, taskId, positioned(added.subtasks, ctx.env.DEFAULT_TOOL, existing.keys.size), edges);
    await rows.recordEvents(sql, [
      {
        task_id: taskId,
        type: 'task.extended',
        message: `${added.subtasks.length} subtasks were added`,
        data: { keys: added.subtasks.map((it) => it.key) },
      },
    ]);
    return readBack(sql, caller, taskId);
  });

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

/** Changes a task if it is still at `version`; else version_conflict. */
export const update = (ctx: Tasks, caller: Caller, taskId: string, version: number, change: rows.TaskChange): Promise<Task> =>
  commit(ctx, async (sql) => {
    const task = await lockOpen(sql, caller, taskId);
    if (task.version !== version)
      throw new AppError('version_conflict', `The task is at version ${task.version}, not ${version}; read it again and repeat`);
    await rows.updateTask(sql, taskId, change);
    if (change.priority !== undefined && change.priority !== task.priority) {
      const waiting = await rows.leaveQueue(sql, taskId);
      if (waiting.length > 0) await rows.enqueueSubtasks(sql, waiting);
    }
    await rows.recordEvents(sql, [
      { task_id: taskId, type: 'task.updated', message: 'The task was changed', data: { fields: Object.keys(change) } },
    ]);
    return readBack(sql, caller, taskId);
  });

/** Cancels a task; one that is cancelled already is answered as it is. */
export const cancel = (ctx: Tasks, caller: Caller, taskId: string, reason: string): Promise<Task> =>
  commit(ctx, async (sql) => {
    const task = await lock(sql, caller, taskId);
    if (task.status === 'cancelled') return readBack(sql, caller, taskId);
    if (task.ended_at !== null) throw new AppError('task_ended', `The task has already ended as ${task.status}`);
    await rows.cancelTask(
      sql,
      taskId,
      reason || 'its task was cancelled',
      reason ? `The task was cancelled: ${reason}` : 'The task was cancelled',
    );
    return readBack(sql, caller, taskId);
  });

const setPaused = (ctx: Tasks, caller: Caller, taskId: string, paused: boolean): Promise<Task> =>
  commit(ctx, async (sql) => {
    const task = await lockOpen(sql, caller, taskId);
    if (task.paused !== paused) {
      await rows.setPaused(sql, taskId, paused);
      await rows.leaveWaiting(sql, taskId);
      await rows.recordEvents(sql, [
        paused
          ? { task_id: taskId, type: 'task.paused', message: 'The task was paused: nothing new of it is claimed' }
          : { task_id: taskId, type: 'task.resumed', message: 'The task goes on' },
      ]);
    }
    return readBack(sql, caller, taskId);
  });

export const pause = (ctx: Tasks, caller: Caller, taskId: string) => setPaused(ctx, caller, taskId, true);
export const resume = (ctx: Tasks, caller: Caller, taskId: string) => setPaused(ctx, caller, taskId, false);

/** Opens a new run of what did not complete. */
export const retry = async (ctx: Tasks, caller: Caller, taskId: string): Promise<Task> => {
  await orWakeLater(ctx, ctx.hints.bump());
  return commit(ctx, async (sql) => {
    const task = await lock(sql, caller, taskId);
    if (task.ended_at === null) throw new AppError('task_not_ended', `The task is ${task.status}; only an ended task can be retried`);
    if (task.status === 'completed') throw new AppError('nothing_to_retry', 'Every subtask of this task completed');
    await rows.renewTask(sql, taskId);
    const { reopened, ready } = await rows.reopenSubtasks(sql, taskId);
    if (ready.length > 0) await rows.enqueueSubtasks(sql, ready);
    await rows.recordEvents(sql, [
      { task_id: taskId, type: 'task.retried', message: `${reopened} subtasks run again`, data: { subtask_count: reopened } },
    ]);
    return readBack(sql, caller, taskId);
  });
};

/** Deletes a task that has ended. Its files are removed by the clock, which has to be awake for that. */
export const remove = async (ctx: Tasks, caller: Caller, taskId: string) => {
  await orWakeLater(ctx, ctx.hints.bump());
  return commit(ctx, async (sql) => {
    const task = await lock(sql, caller, taskId);
    if (task.ended_at === null) throw new AppError('task_not_ended', `The task is ${task.status}; cancel it before it is deleted`);
    await rows.deleteTask(sql, caller.organization_id, taskId);
    return { task_id: taskId, deleted: true as const };
  });
};
