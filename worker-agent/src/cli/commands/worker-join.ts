import type { Command, CommandContext } from '../command.ts';
import { EXIT } from '../../terminal/command-error.ts';
import { readJoinUrl } from '../join-url.ts';
import { checksOf, hasFailed, showChecks } from './worker-doctor.ts';
import { forService, installService, SERVICE_OPTIONS } from './worker-service.ts';
import { identityOf, stateFileOf, WORKER_SETTINGS } from '../worker-setup.ts';
import { workerStart } from './worker-start.ts';

const joined = (context: CommandContext): CommandContext => {
  const { url, token } = readJoinUrl(context.args[0] ?? '');
  return { ...context, args: [], config: { ...context.config, url, enrol_token: token ?? context.config.enrol_token } };
};

export const workerJoin: Command = {
  name: 'worker join',
  args: 'URL',
  summary: 'Check this machine, enrol it with a platform, and start the worker',
  details:
    'URL is printed by maw enrol: the address of the platform, followed by # and the enrolment token. The token is used only after\n' +
    'every check has passed, so a failed command can be repeated. A machine that has joined before continues as the same worker.',
  minArgs: 1,
  maxArgs: 1,
  settings: WORKER_SETTINGS.filter((key) => key !== 'url'),
  options: { ...SERVICE_OPTIONS, service: { type: 'boolean', help: 'Run the worker as a service of this machine' } },
  run: async (given) => {
    const isService = given.options.service === true || given.options.account !== undefined;
    const context = isService ? forService(joined(given)) : joined(given);
    const checks = await checksOf(context.config, context.loaded.file);
    showChecks(context.io, checks);
    if (hasFailed(checks)) return EXIT.failed;
    if (!isService) return workerStart.run(context);
    const { workerId } = await identityOf(stateFileOf(context.config), context.config);
    context.io.out(`enrolled as ${workerId}`);
    return installService(context);
  },
};
