import type { Client } from '../../schema/client.ts';
import type { Task } from '../../schema/task.ts';

const WIDTH = 40;
const POLL_MS = 300;
const LINE_EVERY_MS = 1_000;

const summary = (tasks: readonly Task[], startedMs: number): string => {
  const total = tasks.reduce((sum, task) => sum + task.subtask_count, 0);
  const done = tasks.reduce((sum, task) => sum + task.ended_count, 0);
  const ended = tasks.filter((task) => task.ended_at !== null).length;
  const filled = Math.round((WIDTH * done) / Math.max(1, total));
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1).padStart(5);
  return `${seconds} s  [${'█'.repeat(filled)}${'·'.repeat(WIDTH - filled)}] ${done}/${total} subtasks  ${ended}/${tasks.length} tasks`;
};

/** Shows how far the tasks are until all have ended; on a terminal one line that changes, elsewhere a line a second. */
export const followAll = async (client: Client, taskIds: readonly string[], longestMs: number): Promise<Task[]> => {
  const started = performance.now();
  const ids = new Set(taskIds);
  let shown = -Infinity;
  for (;;) {
    const tasks = (await client.listTasks({ query: { limit: '200' } })).items.filter((task) => ids.has(task.task_id));
    const over = tasks.length === ids.size && tasks.every((task) => task.ended_at !== null);
    const now = performance.now();
    if (process.stdout.isTTY) process.stdout.write(`\r${summary(tasks, started)}${over ? '\n' : ''}`);
    else if (over || now - shown >= LINE_EVERY_MS) {
      process.stdout.write(`${summary(tasks, started)}\n`);
      shown = now;
    }
    if (over) return tasks;
    if (now - started > longestMs) throw new Error(`the tasks did not end within ${longestMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
};
