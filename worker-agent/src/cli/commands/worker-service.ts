import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, CommandContext } from '../command.ts';
import { install, uninstall } from '../../service/install.ts';
import { type Plan, planOf } from '../../service/manager.ts';
import { secretsLeftOut, serviceOf } from '../../service/service.ts';
import { configHome, variableOf } from '../settings.ts';
import { CommandError, ENROL_AGAIN, EXIT, UsageError } from '../../terminal/command-error.ts';
import { stateFileOf, toolsOf, WORKER_SETTINGS } from '../worker-setup.ts';

/** Kept by systemd for the account of a service of the machine. */
const MACHINE_STATE = '/var/lib/maw';

export const SERVICE_OPTIONS = {
  account: {
    type: 'string',
    placeholder: 'USER',
    help: `As a service of the whole machine that runs as this account; it keeps its state in ${MACHINE_STATE} (needs root)`,
  },
} as const;

/** A service of the machine keeps its state where systemd gives it to its account. */
export const forService = (context: CommandContext): CommandContext => {
  const { options, loaded, config } = context;
  const isMachine = typeof options.account === 'string' && process.platform === 'linux';
  return isMachine && loaded.origins.state_dir === 'default' ? { ...context, config: { ...config, state_dir: MACHINE_STATE } } : context;
};

const planFor = ({ config, loaded, env, options }: CommandContext): Plan => {
  if (options.account === '') throw new UsageError('--account names no account', 'name the one that the worker is to run as');
  const account = typeof options.account === 'string' ? options.account : undefined;
  const plan = planOf(serviceOf({ config, loaded, env, file: stateFileOf(config), account }), process.platform);
  if (plan === null)
    throw new CommandError(
      `this knows no service manager of ${process.platform}`,
      'docs/worker.md of the project tells how to start a worker with the machine',
    );
  return plan;
};

/** Installs the service of a worker that is enrolled, and tells what to know of it. */
export const installService = async (given: CommandContext): Promise<number> => {
  const context = forService(given);
  const plan = planFor(context);
  const secrets = secretsLeftOut(context.loaded);
  if (secrets.length > 0)
    throw new UsageError(
      `a service does not see ${secrets.map(variableOf).join(', ')}, and no secret goes into its file`,
      `put it into ${join(configHome(), 'config.yaml')}, readable by you alone`,
    );
  await install(plan);
  context.io.out([`service ${plan.file} is installed and runs`, ...plan.notes].join('\n'));
  return EXIT.ok;
};

export const workerInstallService: Command = {
  name: 'worker install-service',
  args: '',
  summary: 'Have this machine run the worker: a systemd unit, or an agent of launchd on macOS',
  details: 'With the settings that are given here. Repeat it to change them: the worker drains, and starts with the new ones.',
  minArgs: 0,
  maxArgs: 0,
  settings: WORKER_SETTINGS,
  options: { ...SERVICE_OPTIONS, print: { type: 'boolean', help: 'Show the file, and install nothing' } },
  run: async (given) => {
    const context = forService(given);
    toolsOf(context.config);
    if (context.options.print === true) {
      context.io.raw(planFor(context).content);
      return EXIT.ok;
    }
    const state = await stateFileOf(context.config).read();
    if (state?.worker_id === undefined)
      throw new CommandError(`the worker ${context.config.name} is not enrolled at ${context.config.url}`, ENROL_AGAIN, {
        exitCode: EXIT.not_enrolled,
      });
    return installService(context);
  },
};

export const workerUninstallService: Command = {
  name: 'worker uninstall-service',
  args: '',
  summary: 'End the service of the worker and remove it; the worker stays enrolled',
  minArgs: 0,
  maxArgs: 0,
  settings: ['url', 'name', 'state_dir'],
  options: SERVICE_OPTIONS,
  run: async (given) => {
    const context = forService(given);
    const plan = planFor(context);
    if (!existsSync(plan.file))
      throw new CommandError(
        `there is no service of the worker ${context.config.name} of ${context.config.url}: no ${plan.file}`,
        'check --name, --url and --account; maw worker status shows what this machine knows',
      );
    await uninstall(plan);
    context.io.out(`service ${plan.file} is ended and removed`);
    return EXIT.ok;
  },
};
