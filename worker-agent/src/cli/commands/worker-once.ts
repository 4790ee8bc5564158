import type { Command } from '../command.ts';
import { WORKER_SETTINGS, withAgent } from '../worker-setup.ts';

export const workerOnce: Command = {
  name: 'worker once',
  args: '',
  summary: 'Claim once, carry that out, and end',
  details: 'Claims at most as many subtasks as there are --slots. The exit code is 0 also when there was nothing to do.',
  minArgs: 0,
  maxArgs: 0,
  settings: WORKER_SETTINGS,
  options: {},
  run: (context) => withAgent(context, (agent) => agent.once()),
};
