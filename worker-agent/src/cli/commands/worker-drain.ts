import type { Command } from '../command.ts';
import { PidFile } from '../../agent/pid-file.ts';
import { CommandError, EXIT } from '../../terminal/command-error.ts';
import { stateFileOf } from '../worker-setup.ts';

export const workerDrain: Command = {
  name: 'worker drain',
  args: '',
  summary: 'Drain the worker that runs on this machine: it finishes its running subtasks and exits',
  minArgs: 0,
  maxArgs: 0,
  settings: ['url', 'name', 'state_dir', 'json'],
  options: {},
  run: async ({ config, io }) => {
    const pid = await new PidFile(stateFileOf(config).path).running();
    if (pid === null)
      throw new CommandError(
        `no process on this machine runs the worker ${config.name} of ${config.url}`,
        'check --name, --url and --state-dir; maw workers lists all workers',
      );
    // Windows has no SIGTERM: sending it kills the process immediately.
    if (process.platform === 'win32')
      throw new CommandError(
        `on Windows, process ${pid} cannot be asked to exit`,
        'press Ctrl-C once in its window, or set the mode of the worker to draining on the platform',
      );
    process.kill(pid, 'SIGTERM');
    io.out(config.json ? JSON.stringify({ pid, draining: true }) : `process ${pid} is draining`);
    return EXIT.ok;
  },
};
