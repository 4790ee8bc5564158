import { Id } from '../../../schema/common.ts';
import { ApiError } from '../../../schema/client.ts';
import type { CommandContext } from '../command.ts';
import { CommandError, UsageError } from '../terminal/errors.ts';

/** The id that a command was given. */
export const idOf = ({ args }: Pick<CommandContext, 'args'>, kind: 'task' | 'subtask' | 'task or subtask'): string => {
  const id = Id.safeParse(args[0]);
  if (id.success) return id.data;
  throw new UsageError(
    `${args[0]} is not the id of a ${kind}`,
    'maw list shows the ids of tasks, and maw get TASK_ID those of its subtasks',
  );
};

const isCode = (error: unknown, code: string) => error instanceof ApiError && error.code === code;

/** Does the one where the id is a task's and the other where it is a subtask's. */
export const forTaskOrSubtask = async (forTask: () => Promise<void>, forSubtask: () => Promise<void>): Promise<void> => {
  try {
    await forTask();
  } catch (error) {
    if (!isCode(error, 'task_not_found')) throw error;
    await forSubtask().catch((second: unknown) => {
      if (!isCode(second, 'subtask_not_found')) throw second;
      throw new CommandError('There is no task and no subtask with this id', 'maw list shows the tasks', { cause: second });
    });
  }
};

/** Says so where the id that was given for a subtask's is a task's. */
export const notOfTask = async <T>({ client }: Pick<CommandContext, 'client'>, id: string, call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!isCode(error, 'subtask_not_found')) throw error;
    await client.getTask({ params: { task_id: id } }).catch(() => {
      throw error;
    });
    throw new UsageError('This is the id of a task; its subtasks have ids of their own', `maw get ${id} shows them`, { cause: error });
  }
};
