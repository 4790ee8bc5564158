import type { Command } from '../command.ts';
import { WORKER_SETTINGS, withAgent } from '../worker-setup.ts';

export const workerStart: Command = {
  name: 'worker start',
  args: '',
  summary: 'Work until told to stop',
  details:
    'Ctrl-C (or SIGTERM) drains: nothing new is claimed, what runs is finished. A second one stops the work and gives it back,\n' +
    'a third ends the process at once; a closed terminal gives the work back at once. At the first start it needs an enrolment token; later ones use what is kept in --state-dir.',
  minArgs: 0,
  maxArgs: 0,
  settings: WORKER_SETTINGS,
  options: {},
  run: (context) => withAgent(context, (agent) => agent.run()),
};
