import { CALLER, type Command } from '../command.ts';
import { follow } from '../follow-task.ts';
import { idOf } from '../ids.ts';

export const watch: Command = {
  name: 'watch',
  args: 'TASK_ID',
  summary: 'Follow a task to its end; exit code 0 only when it completed',
  details: 'With --json: one event a line, the task as it ended and its results on the last line.',
  minArgs: 1,
  maxArgs: 1,
  settings: [...CALLER, 'poll_ms'],
  options: {},
  run: (context) => follow(context, idOf(context, 'task')),
};
