import type { Explanation } from '../../../schema/explain.ts';
import type { CommandContext } from './command.ts';
import { oneLine } from '../terminal/text.ts';

const QUIET_MS = 3_000;
const RAREST_MS = 60_000;
const MOST_WORKERS = 3;

const nobody = ({ subtask_id, workers }: Explanation, tool: string): string => {
  if (workers.length === 0) return `there is no worker; enrol one: maw enrol --tools ${tool}`;
  const nearest = workers.toSorted((a, b) => a.obstacles.length - b.obstacles.length).slice(0, MOST_WORKERS);
  const reasons = nearest.map((it) => `${oneLine(it.name)}: ${it.obstacles.map(({ message }) => message).join(', ')}`);
  const more = workers.length > MOST_WORKERS ? `; all ${workers.length} workers: maw explain ${subtask_id}` : '';
  return `no worker may take it (${reasons.join('; ')}${more})`;
};

/** What a subtask waits for, in one line. */
export const waitText = (explanation: Explanation, tool: string): string =>
  explanation.waits.map(({ code, message }) => (code === 'no_worker_qualifies' ? nobody(explanation, tool) : message)).join('; ');

const firstWait = async ({ client }: CommandContext, task_id: string): Promise<string | null> => {
  const { items } = await client.listSubtasks({ params: { task_id }, query: { status: 'ready', limit: 1 } });
  const [ready] = items;
  if (ready === undefined) return null;
  return `${ready.key} waits: ${waitText(await client.explainSubtask({ params: { subtask_id: ready.subtask_id } }), ready.tool)}`;
};

/** Tells what a task waits for when nothing has happened to it for some seconds: each thing once, asked ever more rarely. */
export const waitTeller = (context: CommandContext, taskId: string) => {
  let pauseMs = QUIET_MS;
  let askAt = performance.now() + pauseMs;
  let told: string | null = null;
  return {
    somethingHappened: () => {
      pauseMs = QUIET_MS;
      askAt = performance.now() + pauseMs;
    },
    tellIfQuiet: async () => {
      if (performance.now() < askAt) return;
      pauseMs = Math.min(pauseMs * 2, RAREST_MS);
      askAt = performance.now() + pauseMs;
      const wait = await firstWait(context, taskId).catch(() => null); // a courtesy: what matters is asked elsewhere
      if (wait !== null && wait !== told) context.io.error(`maw: ${wait}`);
      told = wait ?? told;
    },
  };
};
