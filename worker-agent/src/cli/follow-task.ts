import { backoffMs, jittered } from '../../../schema/client/backoff.ts';
import { type ApiError, isTransient } from '../../../schema/client/client.ts';
import type { Event } from '../../../schema/events.ts';
import { followTask } from '../../../schema/client/follow.ts';
import { WakeableTimer } from '../../../schema/client/wakeable-timer.ts';
import { TASK_ENDS } from '../../../schema/states.ts';
import type { Task } from '../../../schema/task.ts';
import type { CommandContext } from './command.ts';
import { askedMs } from '../api/retry.ts';
import { EXIT } from '../terminal/command-error.ts';
import type { Io } from '../terminal/io.ts';
import { resultsOf, resultsText } from './results.ts';
import { eventLine, taskText } from './show.ts';
import { subtasksOf } from './all-subtasks.ts';
import { waitReporter } from './waits.ts';

const MAX_TRIES = 12;
const RETRY = { baseMs: 250, maxMs: 10_000 };
const QUIET_CHECK_MS = 500;

const isEnded = (task: Task) => (TASK_ENDS as readonly string[]).includes(task.status);

const reportUnavailable = (io: Io, error: ApiError) => io.error(`maw: ${error.message}; retrying`);

/** Repeats a read after transient errors of the server; reports the first one. */
const withRetries = async <T>({ io }: CommandContext, call: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (tries >= MAX_TRIES || !isTransient(error)) throw error;
      if (tries === 1) reportUnavailable(io, error);
      await new WakeableTimer().wait(backoffMs(tries, RETRY, askedMs(error)));
    }
  }
};

/** Shows every event of a task in order, until the task has ended and there are no more; returns the ended task. */
const events = async (context: CommandContext, taskId: string, show: (event: Event) => void): Promise<Task> => {
  const { client, config, io } = context;
  const waits = waitReporter(context, taskId);
  const quiet = setInterval(() => void waits.reportIfQuiet(), QUIET_CHECK_MS);
  const onUnavailable = (error: ApiError, tries: number) => {
    if (tries >= MAX_TRIES) throw error;
    if (tries === 1) reportUnavailable(io, error);
  };
  try {
    for (let seen = 0; ; ) {
      for await (const event of followTask(client, taskId, { afterSeq: seen, pollMs: config.poll_ms, onUnavailable })) {
        show(event);
        waits.onEvent();
        seen = event.seq;
      }
      const task = await withRetries(context, () => client.getTask({ params: { task_id: taskId } }));
      if (isEnded(task) && task.last_seq <= seen) return task;
      await new WakeableTimer().wait(jittered(config.poll_ms));
    }
  } finally {
    clearInterval(quiet);
  }
};

/** Shows the events of a task until it ends, and then its results; the exit code is 0 only if it completed. */
export const follow = async (context: CommandContext, taskId: string): Promise<number> => {
  const { io, config } = context;
  const task = await events(context, taskId, (event) => io.out(config.json ? JSON.stringify(event) : eventLine(io, event)));
  const subtasks = await withRetries(context, () => subtasksOf(context.client, taskId));
  const text = [taskText(io, task), resultsText(subtasks)].filter(Boolean).join('\n\n');
  io.out(config.json ? JSON.stringify({ ...task, results: resultsOf(subtasks) }) : `\n${text}`);
  return task.status === 'completed' ? EXIT.ok : EXIT.failed;
};
