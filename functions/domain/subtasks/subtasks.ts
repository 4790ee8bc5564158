import { AppError } from '../../../schema/errors.ts';
import type { SubtaskStatus } from '../../../schema/states.ts';
import { listAttempts } from '../attempts/attempts.sql.ts';
import type { Context } from '../context.ts';
import { numberCursor, pageOf } from '../page.ts';
import type { Caller } from '../principal.ts';
import { findTask } from '../tasks/tasks.sql.ts';
import * as rows from './subtasks.sql.ts';

type Who = Pick<Caller, 'organization_id'>;

export const list = async (
  ctx: Pick<Context, 'sql' | 'reads'>,
  who: Who,
  taskId: string,
  { status, cursor, limit }: { status?: SubtaskStatus | undefined; cursor?: string | undefined; limit: number },
) => {
  const asked = { status, after: numberCursor(cursor), limit: limit + 1 };
  const found = await ctx.reads(['subtasks', who.organization_id, taskId, asked], (sql) =>
    rows.listSubtasks(sql, who.organization_id, taskId, asked),
  );
  if (found.length === 0 && (await findTask(ctx.sql, who.organization_id, taskId)) === null)
    throw new AppError('task_not_found', 'There is no task with this id');
  return pageOf(found, limit, (last) => [last.position]);
};

export const get = async (ctx: Pick<Context, 'sql'>, who: Who, subtaskId: string) => {
  const subtask = await rows.findSubtask(ctx.sql, who.organization_id, subtaskId);
  if (subtask === null) throw new AppError('subtask_not_found', 'There is no subtask with this id');
  return { ...subtask, attempt_list: await listAttempts(ctx.sql, subtaskId) };
};
