import { Id } from '../../../schema/common.ts';
import { ApiError } from '../../../schema/client/client.ts';
import { CLIENT_SETTINGS, type Command, type CommandContext } from './command.ts';
import { CommandError, EXIT, UsageError } from '../terminal/command-error.ts';

/** The id given to a command. */
export const idOf = ({ args }: Pick<CommandContext, 'args'>, kind: 'task' | 'subtask' | 'task or subtask'): string => {
  const id = Id.safeParse(args[0]);
  if (id.success) return id.data;
  throw new UsageError(
    `${args[0]} is not the id of a ${kind}`,
    'maw list shows the ids of tasks; maw get TASK_ID shows those of its subtasks',
  );
};

const isCode = (error: unknown, code: string) => error instanceof ApiError && error.code === code;

type Show = (context: CommandContext, id: string) => Promise<void>;

/** A command that accepts the id of a task or of a subtask. */
export const taskOrSubtaskCommand = (about: Pick<Command, 'name' | 'summary'> & { task: Show; subtask: Show }): Command => ({
  name: about.name,
  args: 'ID',
  summary: about.summary,
  minArgs: 1,
  maxArgs: 1,
  settings: CLIENT_SETTINGS,
  options: {},
  run: async (context) => {
    const id = idOf(context, 'task or subtask');
    try {
      await about.task(context, id);
    } catch (error) {
      if (!isCode(error, 'task_not_found')) throw error;
      await about.subtask(context, id).catch((second: unknown) => {
        if (!isCode(second, 'subtask_not_found')) throw second;
        throw new CommandError('No task or subtask has this id', 'maw list shows the tasks', { cause: second });
      });
    }
    return EXIT.ok;
  },
});

/** Calls with the id of a subtask; throws a UsageError if it is the id of a task. */
export const withSubtaskId = async <T>({ client }: Pick<CommandContext, 'client'>, id: string, call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!isCode(error, 'subtask_not_found')) throw error;
    await client.getTask({ params: { task_id: id } }).catch(() => {
      throw error;
    });
    throw new UsageError('This is the id of a task, not of a subtask', `maw get ${id} shows the ids of its subtasks`, { cause: error });
  }
};
