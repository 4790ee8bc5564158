import { CLIENT_SETTINGS, type Command } from '../command.ts';
import { follow } from '../follow-task.ts';
import { idOf } from '../ids.ts';

export const watch: Command = {
  name: 'watch',
  args: 'TASK_ID',
  summary: 'Follow a task to its end; exit code 0 only when it completed',
  details: 'With --json: one event per line; the last line is the ended task with its results.',
  minArgs: 1,
  maxArgs: 1,
  settings: [...CLIENT_SETTINGS, 'poll_ms'],
  options: {},
  run: (context) => follow(context, idOf(context, 'task')),
};
