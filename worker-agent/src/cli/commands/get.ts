import type { CommandContext } from '../command.ts';
import { oneLine, table } from '../../terminal/text.ts';
import { taskOrSubtaskCommand } from '../ids.ts';
import { hasResult, resultText } from '../results.ts';
import { subtaskTable, taskText } from '../show.ts';
import { subtasksOf } from '../all-subtasks.ts';

const showTask = async ({ client, io, config }: CommandContext, id: string): Promise<void> => {
  const [task, subtasks] = await Promise.all([client.getTask({ params: { task_id: id } }), subtasksOf(client, id)]);
  io.out(config.json ? JSON.stringify({ ...task, subtasks }) : `${taskText(io, task)}\n\n${subtaskTable(io, subtasks)}`);
};

const showSubtask = async ({ client, io, config }: CommandContext, id: string): Promise<void> => {
  const subtask = await client.getSubtask({ params: { subtask_id: id } });
  if (config.json) return io.out(JSON.stringify(subtask));
  const attempts = subtask.attempt_list.map((it) => [String(it.attempt), it.status, it.worker_id, oneLine(it.error?.message ?? '')]);
  const result = hasResult(subtask) ? ['', 'result', resultText(subtask)] : [];
  io.out([subtaskTable(io, [subtask]), '', table(['TRY', 'STATUS', 'WORKER', 'ERROR'], attempts), ...result].join('\n'));
};

export const get = taskOrSubtaskCommand({
  name: 'get',
  summary: 'Show a task with its subtasks, or a subtask with its attempts',
  task: showTask,
  subtask: showSubtask,
});
