import type { Client } from '../../schema/client/client.ts';
import type { EventType } from '../../schema/events.ts';
import { followTask } from '../../schema/client/follow.ts';
import type { Task } from '../../schema/task.ts';

const WIDTH = 40;
const SHOW_EVERY_MS = process.stdout.isTTY ? 100 : 1_000;
const ENDS: readonly EventType[] = ['subtask.completed', 'subtask.failed', 'subtask.cancelled', 'subtask.skipped'];

type Count = { subtasks: number; tasks: number };

const summary = (total: Count, done: Count, startedMs: number): string => {
  const filled = Math.round((WIDTH * done.subtasks) / Math.max(1, total.subtasks));
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1).padStart(5);
  const bar = '█'.repeat(filled) + '·'.repeat(WIDTH - filled);
  return `${seconds} s  [${bar}] ${done.subtasks}/${total.subtasks} subtasks  ${done.tasks}/${total.tasks} tasks`;
};

/** Shows the progress until all tasks have ended: on a terminal in one line that is updated, elsewhere in one line each second. */
export const followAll = async (client: Client, tasks: readonly Task[], longestMs: number): Promise<Task[]> => {
  const started = performance.now();
  const total = { subtasks: tasks.reduce((sum, task) => sum + task.subtask_count, 0), tasks: tasks.length };
  const done = { subtasks: 0, tasks: 0 };
  const show = (end = '') =>
    process.stdout.write(process.stdout.isTTY ? `\r${summary(total, done, started)}${end}` : `${summary(total, done, started)}\n`);

  const signal = AbortSignal.timeout(longestMs);
  const follow = async ({ task_id }: Task) => {
    for await (const event of followTask(client, task_id, { signal })) if (ENDS.includes(event.type)) done.subtasks++;
    done.tasks++;
  };
  const timer = setInterval(show, SHOW_EVERY_MS);
  await Promise.all(tasks.map(follow)).finally(() => clearInterval(timer));
  if (signal.aborted) throw new Error(`the tasks did not end within ${longestMs / 1_000} s`);
  show('\n');
  return Promise.all(tasks.map(({ task_id }) => client.getTask({ params: { task_id } })));
};
