import { ApiError, type Client } from '../../../schema/client.ts';
import type { Subtask } from '../../../schema/task.ts';
import { CALLER, type Command, type CommandContext } from '../command.ts';
import { EXIT } from '../terminal/errors.ts';
import { oneLine, table } from '../terminal/text.ts';
import { subtaskTable, taskText } from './show.ts';

const subtasksOf = async (client: Client, taskId: string): Promise<Subtask[]> => {
  const all: Subtask[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: { items: Subtask[]; next_cursor: string | null } = await client.listSubtasks({
      params: { task_id: taskId },
      query: { limit: '1000', ...(cursor === null ? {} : { cursor }) },
    });
    all.push(...page.items);
    if (page.next_cursor === null) return all;
    cursor = page.next_cursor;
  }
};

const showTask = async ({ client, io, config }: CommandContext, id: string): Promise<void> => {
  const [task, subtasks] = await Promise.all([client.getTask({ params: { task_id: id } }), subtasksOf(client, id)]);
  io.out(config.json ? JSON.stringify({ ...task, subtasks }) : `${taskText(io, task)}\n\n${subtaskTable(io, subtasks)}`);
};

const showSubtask = async ({ client, io, config }: CommandContext, id: string): Promise<void> => {
  const subtask = await client.getSubtask({ params: { subtask_id: id } });
  if (config.json) return io.out(JSON.stringify(subtask));
  const attempts = subtask.attempt_list.map((it) => [String(it.attempt), it.status, it.worker_id, oneLine(it.error?.message ?? '')]);
  const result = subtask.result === null ? [] : ['', 'result', JSON.stringify(subtask.result, null, 2)];
  io.out([subtaskTable(io, [subtask]), '', table(['TRY', 'STATUS', 'WORKER', 'ERROR'], attempts), ...result].join('\n'));
};

export const get: Command = {
  name: 'get',
  args: 'ID',
  summary: 'Show a task with its subtasks, or a subtask with its attempts',
  minArgs: 1,
  maxArgs: 1,
  settings: CALLER,
  options: {},
  run: async (context) => {
    const [id = ''] = context.args;
    try {
      await showTask(context, id);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'task_not_found') throw error;
      await showSubtask(context, id).catch((second: unknown) => {
        throw second instanceof ApiError && second.code === 'subtask_not_found' ? error : second;
      });
    }
    return EXIT.ok;
  },
};
