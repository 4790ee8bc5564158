import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, CommandContext } from '../command.ts';
import { install, uninstall } from '../../service/install.ts';
import { type Plan, planOf } from '../../service/manager.ts';
import { secretsNotPassed, serviceOf } from '../../service/service.ts';
import { configHome, variableOf } from '../settings.ts';
import { CommandError, ENROL_AGAIN, EXIT, UsageError } from '../../terminal/command-error.ts';
import { stateFileOf, toolsOf, WORKER_SETTINGS } from '../worker-setup.ts';

/** The state folder that systemd creates for a system service and its account. */
const MACHINE_STATE = '/var/lib/maw';

export const SERVICE_OPTIONS = {
  account: {
    type: 'string',
    placeholder: 'USER',
    help: `Make it a system service that runs as this account, with its state in ${MACHINE_STATE} (requires root)`,
  },
} as const;

/** A system service on Linux has its state in the folder that systemd creates, unless --state-dir is set. */
export const forService = (context: CommandContext): CommandContext => {
  const { options, loaded, config } = context;
  const isMachine = typeof options.account === 'string' && process.platform === 'linux';
  return isMachine && loaded.origins.state_dir === 'default' ? { ...context, config: { ...config, state_dir: MACHINE_STATE } } : context;
};

const planFor = ({ config, loaded, env, options }: CommandContext): Plan => {
  if (options.account === '') throw new UsageError('--account is empty', 'set it to the account that runs the worker');
  const account = typeof options.account === 'string' ? options.account : undefined;
  const plan = planOf(serviceOf({ config, loaded, env, file: stateFileOf(config), account }), process.platform);
  if (plan === null)
    throw new CommandError(
      `services are not supported on ${process.platform}`,
      'docs/worker.md of the project describes other ways to start a worker at boot',
    );
  return plan;
};

/** Installs the service of an enrolled worker, and prints its log and other notes. */
export const installService = async (given: CommandContext): Promise<number> => {
  const context = forService(given);
  const plan = planFor(context);
  const secrets = secretsNotPassed(context.loaded);
  if (secrets.length > 0)
    throw new UsageError(
      `a service cannot read ${secrets.map(variableOf).join(', ')}, and secrets are not written into its file`,
      `put it into ${join(configHome(), 'config.yaml')}, readable only by you`,
    );
  await install(plan);
  context.io.out([`service ${plan.file} is installed and running`, ...plan.notes].join('\n'));
  return EXIT.ok;
};

export const workerInstallService: Command = {
  name: 'worker install-service',
  args: '',
  summary: 'Run the worker as a service of this machine: a systemd unit, or a launchd agent on macOS',
  details: 'The service uses the settings given here. Repeat the command to change them: the worker drains and restarts.',
  minArgs: 0,
  maxArgs: 0,
  settings: WORKER_SETTINGS,
  options: { ...SERVICE_OPTIONS, print: { type: 'boolean', help: 'Print the service file, and install nothing' } },
  run: async (given) => {
    const context = forService(given);
    toolsOf(context.config);
    if (context.options.print === true) {
      context.io.raw(planFor(context).content);
      return EXIT.ok;
    }
    const state = await stateFileOf(context.config).read();
    if (state?.worker_id === undefined)
      throw new CommandError(`the worker ${context.config.name} is not enrolled with ${context.config.url}`, ENROL_AGAIN, {
        exitCode: EXIT.not_enrolled,
      });
    return installService(context);
  },
};

export const workerUninstallService: Command = {
  name: 'worker uninstall-service',
  args: '',
  summary: 'Stop and remove the service of the worker; the worker stays enrolled',
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
        'check --name, --url and --account; see maw worker status',
      );
    await uninstall(plan);
    context.io.out(`service ${plan.file} is stopped and removed`);
    return EXIT.ok;
  },
};
