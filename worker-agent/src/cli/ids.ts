import { Id } from '../../../schema/common.ts';
import { ApiError } from '../../../schema/client/client.ts';
import { CALLER, type Command, type CommandContext } from './command.ts';
import { CommandError, EXIT, UsageError } from '../terminal/command-error.ts';

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

type Shows = (context: CommandContext, id: string) => Promise<void>;

/** A command about a task or a subtask, whichever has the id that it is given. */
export const aboutEither = (about: Pick<Command, 'name' | 'summary'> & { task: Shows; subtask: Shows }): Command => ({
  name: about.name,
  args: 'ID',
  summary: about.summary,
  minArgs: 1,
  maxArgs: 1,
  settings: CALLER,
  options: {},
  run: async (context) => {
    const id = idOf(context, 'task or subtask');
    try {
      await about.task(context, id);
    } catch (error) {
      if (!isCode(error, 'task_not_found')) throw error;
      await about.subtask(context, id).catch((second: unknown) => {
        if (!isCode(second, 'subtask_not_found')) throw second;
        throw new CommandError('There is no task and no subtask with this id', 'maw list shows the tasks', { cause: second });
      });
    }
    return EXIT.ok;
  },
});

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
