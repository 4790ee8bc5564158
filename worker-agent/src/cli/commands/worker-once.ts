import type { Command } from '../command.ts';
import { WORKER_SETTINGS, withAgent } from '../worker-setup.ts';

export const workerOnce: Command = {
  name: 'worker once',
  args: '',
  summary: 'Claim subtasks once, run them, and exit',
  details: 'Claims at most --slots subtasks. The exit code is also 0 if there was no work.',
  minArgs: 0,
  maxArgs: 0,
  settings: WORKER_SETTINGS,
  options: {},
  run: (context) => withAgent(context, (agent) => agent.once()),
};
