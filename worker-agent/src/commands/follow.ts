import { isTransient } from '../../../schema/client.ts';
import type { Event } from '../../../schema/events.ts';
import { TASK_ENDS } from '../../../schema/states.ts';
import type { Task } from '../../../schema/task.ts';
import { Alarm, jittered } from '../alarm.ts';
import type { CommandContext } from '../command.ts';
import { backoffMs } from '../retry.ts';
import { EXIT } from '../terminal/errors.ts';
import { resultsOf, resultsText } from './results.ts';
import { eventLine, taskText } from './show.ts';
import { subtasksOf } from './subtasks.ts';
import { waitTeller } from './waits.ts';

const AWAY_TRIES = 12;
const PAGE = 500;

const isEnded = (task: Task) => (TASK_ENDS as readonly string[]).includes(task.status);

/** Repeats a reading call through a passing trouble of the server; says once that it waits. */
const patiently = async <T>({ io }: CommandContext, call: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (tries >= AWAY_TRIES || !isTransient(error)) throw error;
      if (tries === 1) io.error(`maw: ${error.message}; waiting for it`);
      await new Alarm().wait(backoffMs(tries, 250, 10_000, error.retryAfterMs));
    }
  }
};

/** Every event of a task in order, until it has ended and there are no more; answers the task as it ended. */
const events = async (context: CommandContext, taskId: string, show: (event: Event) => void): Promise<Task> => {
  const { client, config } = context;
  const params = { task_id: taskId };
  const waits = waitTeller(context, taskId);
  for (let seen = 0; ; ) {
    const { items, last_seq } = await patiently(context, () =>
      client.listEvents({ params, query: { after_seq: String(seen), limit: String(PAGE) } }),
    );
    items.forEach(show);
    if (items.length > 0) waits.somethingHappened();
    seen = items.at(-1)?.seq ?? seen;
    if (seen < last_seq) continue;
    const task = await patiently(context, () => client.getTask({ params }));
    if (isEnded(task) && task.last_seq <= seen) return task;
    if (task.last_seq > seen) continue;
    await waits.tellIfQuiet();
    await new Alarm().wait(jittered(config.poll_ms));
  }
};

/** Shows what happens to a task until it ends, and then its results; the exit code is 0 only when it completed. */
export const follow = async (context: CommandContext, taskId: string): Promise<number> => {
  const { io, config } = context;
  const task = await events(context, taskId, (event) => io.out(config.json ? JSON.stringify(event) : eventLine(io, event)));
  const subtasks = await patiently(context, () => subtasksOf(context.client, taskId));
  const text = [taskText(io, task), resultsText(subtasks)].filter(Boolean).join('\n\n');
  io.out(config.json ? JSON.stringify({ ...task, results: resultsOf(subtasks) }) : `\n${text}`);
  return task.status === 'completed' ? EXIT.ok : EXIT.failed;
};
