import { repeatCall } from '../../../../schema/client/client.ts';
import type { Task } from '../../../../schema/task.ts';
import { CLIENT_SETTINGS, type Command, type CommandContext, text } from '../command.ts';
import { EXIT } from '../../terminal/command-error.ts';
import { idOf } from '../ids.ts';
import { taskText } from '../show.ts';

type Change = (context: CommandContext, params: { task_id: string }, each: { idempotencyKey: string }) => Promise<Task>;

const change = (name: string, summary: string, call: Change, options: Command['options'] = {}): Command => ({
  name,
  args: 'TASK_ID',
  summary,
  minArgs: 1,
  maxArgs: 1,
  settings: CLIENT_SETTINGS,
  options,
  run: async (context) => {
    const { io, config } = context;
    const task = await repeatCall((each) => call(context, { task_id: idOf(context, 'task') }, each));
    io.out(config.json ? JSON.stringify(task) : taskText(io, task));
    return EXIT.ok;
  },
});

export const cancel = change(
  'cancel',
  'Cancel a task and all of its subtasks that have not ended',
  ({ client, options }, params, each) => client.cancelTask({ params, body: { reason: text(options, 'reason') ?? '' } }, each),
  { reason: { type: 'string', placeholder: 'TEXT', help: 'The reason, which is stored with the task' } },
);
export const retry = change('retry', 'Retry the subtasks that failed, were cancelled or were skipped', ({ client }, params, each) =>
  client.retryTask({ params, body: {} }, each),
);
export const pause = change('pause', 'Pause a task: running subtasks continue, no new ones are claimed', ({ client }, params, each) =>
  client.pauseTask({ params, body: {} }, each),
);
export const resume = change('resume', 'Resume a paused task', ({ client }, params, each) => client.resumeTask({ params, body: {} }, each));
