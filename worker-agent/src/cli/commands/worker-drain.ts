import type { Command } from '../command.ts';
import { PidFile } from '../../agent/pid-file.ts';
import { CommandError, EXIT } from '../../terminal/command-error.ts';
import { stateFileOf } from '../worker-setup.ts';

export const workerDrain: Command = {
  name: 'worker drain',
  args: '',
  summary: 'Tell the worker that runs on this machine to claim nothing new, finish and end',
  minArgs: 0,
  maxArgs: 0,
  settings: ['url', 'name', 'state_dir', 'json'],
  options: {},
  run: async ({ config, io }) => {
    const pid = await new PidFile(stateFileOf(config).path).running();
    if (pid === null)
      throw new CommandError(
        `no process on this machine runs the worker ${config.name} of ${config.url}`,
        'check --name, --url and --state-dir; maw workers shows them all',
      );
    // Windows has no SIGTERM: a process that is sent one ends at once.
    if (process.platform === 'win32')
      throw new CommandError(
        `on Windows a process cannot be asked to end (it is ${pid})`,
        'press Ctrl-C once in its window, or set its mode to draining on the platform',
      );
    process.kill(pid, 'SIGTERM');
    io.out(config.json ? JSON.stringify({ pid, draining: true }) : `process ${pid} drains`);
    return EXIT.ok;
  },
};
