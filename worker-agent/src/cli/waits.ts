import type { Explanation } from '../../../schema/explain.ts';
import type { CommandContext } from './command.ts';
import { oneLine } from '../terminal/text.ts';

const QUIET_MS = 3_000;
const MAX_PAUSE_MS = 60_000;
const MAX_WORKERS = 3;

const noWorkerText = ({ subtask_id, workers }: Explanation, tool: string): string => {
  if (workers.length === 0) return `there is no worker; enrol one: maw enrol --tools ${tool}`;
  const nearest = workers.toSorted((a, b) => a.obstacles.length - b.obstacles.length).slice(0, MAX_WORKERS);
  const reasons = nearest.map((it) => `${oneLine(it.name)}: ${it.obstacles.map(({ message }) => message).join(', ')}`);
  const more = workers.length > MAX_WORKERS ? `; all ${workers.length} workers: maw explain ${subtask_id}` : '';
  return `no worker may claim it (${reasons.join('; ')}${more})`;
};

/** What a subtask is waiting for, in one line. */
export const waitText = (explanation: Explanation, tool: string): string =>
  explanation.waits.map(({ code, message }) => (code === 'no_worker_qualifies' ? noWorkerText(explanation, tool) : message)).join('; ');

const firstWait = async ({ client }: CommandContext, task_id: string): Promise<string | null> => {
  const { items } = await client.listSubtasks({ params: { task_id }, query: { status: 'ready', limit: 1 } });
  const [ready] = items;
  if (ready === undefined) return null;
  return `${ready.key} is waiting: ${waitText(await client.explainSubtask({ params: { subtask_id: ready.subtask_id } }), ready.tool)}`;
};

/** Reports what a task is waiting for after some seconds without an event: each reason once, checked at growing intervals. */
export const waitReporter = (context: CommandContext, taskId: string) => {
  let pauseMs = QUIET_MS;
  let checkAt = performance.now() + pauseMs;
  let reported: string | null = null;
  return {
    onEvent: () => {
      pauseMs = QUIET_MS;
      checkAt = performance.now() + pauseMs;
    },
    reportIfQuiet: async () => {
      if (performance.now() < checkAt) return;
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      checkAt = performance.now() + pauseMs;
      const wait = await firstWait(context, taskId).catch(() => null); // optional information: errors are reported by the caller that follows the task
      if (wait !== null && wait !== reported) context.io.error(`maw: ${wait}`);
      reported = wait ?? reported;
    },
  };
};
