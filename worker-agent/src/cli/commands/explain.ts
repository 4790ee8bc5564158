import type { Explanation } from '../../../../schema/explain.ts';
import { SUBTASK_ENDS } from '../../../../schema/states.ts';
import type { Subtask } from '../../../../schema/task.ts';
import type { CommandContext } from '../command.ts';
import { paintStatus } from '../../terminal/io.ts';
import { oneLine, table } from '../../terminal/text.ts';
import { taskOrSubtaskCommand } from '../ids.ts';
import { subtasksOf } from '../all-subtasks.ts';
import { waitText } from '../waits.ts';

const MAX_SHOWN = 20;

const isOpen = ({ status }: Subtask) => !(SUBTASK_ENDS as readonly string[]).includes(status);
const readyFirst = (a: Subtask, b: Subtask) => Number(b.status === 'ready') - Number(a.status === 'ready');

const explainTask = async ({ client, io, config }: CommandContext, id: string): Promise<void> => {
  const open = (await subtasksOf(client, id)).filter(isOpen).toSorted(readyFirst);
  const shown = open.slice(0, MAX_SHOWN);
  const explained = await Promise.all(shown.map(({ subtask_id }) => client.explainSubtask({ params: { subtask_id } })));
  if (config.json) return io.out(JSON.stringify({ task_id: id, open_count: open.length, subtasks: explained }));
  if (open.length === 0) return io.out(`every subtask has ended; next: maw get ${id}`);
  const rows = shown.map((it, at) => [
    it.key,
    paintStatus(io, it.status),
    it.tool,
    it.subtask_id,
    waitText(explained[at] as Explanation, it.tool),
  ]);
  io.out(table(['KEY', 'STATUS', 'TOOL', 'SUBTASK', 'WAITING FOR'], rows));
  if (open.length > MAX_SHOWN) io.out(`\nand ${open.length - MAX_SHOWN} more that have not ended`);
};

const explainSubtask = async ({ client, io, config }: CommandContext, id: string): Promise<void> => {
  const params = { subtask_id: id };
  const explanation = await client.explainSubtask({ params });
  if (config.json) return io.out(JSON.stringify(explanation));
  const { key, tool } = await client.getSubtask({ params });
  const { status, workers, workers_truncated } = explanation;
  io.out(`${key} (${tool}) is ${paintStatus(io, status)}: ${waitText(explanation, tool)}`);
  if (workers.length === 0) return;
  const rows = workers.map((it) => [
    oneLine(it.name),
    it.may_claim ? 'yes' : 'no',
    it.obstacles.map(({ message }) => message).join(', '),
    it.worker_id,
  ]);
  io.out(`\n${table(['NAME', 'MAY CLAIM', 'WHY NOT', 'WORKER'], rows)}${workers_truncated ? '\nand more' : ''}`);
};

export const explain = taskOrSubtaskCommand({
  name: 'explain',
  summary: 'Explain what a subtask, or each open subtask of a task, is waiting for, and which workers may claim it',
  task: explainTask,
  subtask: explainSubtask,
});
