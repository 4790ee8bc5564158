import type { Command } from '../command.ts';
import { WORKER_SETTINGS, withAgent } from '../worker-setup.ts';

export const workerStart: Command = {
  name: 'worker start',
  args: '',
  summary: 'Start the worker; it runs until it is stopped',
  details:
    'Ctrl-C (or SIGTERM) drains: running subtasks continue, no new ones are claimed. A second one stops and releases them, a third\n' +
    'exits immediately. Closing the terminal releases them immediately. The first start requires an enrolment token; later ones use\n' +
    'the credential in --state-dir.',
  minArgs: 0,
  maxArgs: 0,
  settings: WORKER_SETTINGS,
  options: {},
  run: (context) => withAgent(context, (agent) => agent.run()),
};
