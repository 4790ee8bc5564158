import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { AgentFailure } from '../attempt/agent-failure.ts';

const ALL = '*';

const isExecutable = async (file: string): Promise<boolean> => {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
};

const endings = () => (process.platform === 'win32' ? ['', ...(process.env.PATHEXT ?? '.EXE;.CMD;.BAT').split(';')] : ['']);

/** The file of a command on the PATH, or null. Skips relative folders of the PATH, since they would depend on the subtask. */
const findOnPath = async (name: string, path = process.env.PATH ?? ''): Promise<string | null> => {
  for (const folder of path.split(delimiter).filter((it) => isAbsolute(it)))
    for (const ending of endings()) {
      const file = join(folder, name + ending);
      if (await isExecutable(file)) return file;
    }
  return null;
};

/** The executable file of a name on the PATH or of an absolute path, or null if there is none. */
export const findCommand = async (command: string): Promise<string | null> => {
  if (!hasFolder(command)) return findOnPath(command);
  return isAbsolute(command) && (await isExecutable(command)) ? command : null;
};

const hasFolder = (command: string) => /[/\\]/.test(command);

const isAllowed = (command: string, allowed: readonly string[]): boolean => {
  if (allowed.includes(ALL) || allowed.includes(command)) return true;
  return isAbsolute(command) && allowed.some((it) => isAbsolute(it) && resolve(it) === resolve(command));
};

/** The file of a command that the worker allows. Throws denied, or spawn_failed when there is no such file. */
export const resolveCommand = async (command: string, allowed: readonly string[], cwd: string): Promise<string> => {
  const found = hasFolder(command) ? resolve(cwd, command) : await findOnPath(command);
  const known = isAllowed(command, allowed) || (found !== null && isAllowed(found, allowed));
  if (!known)
    throw new AgentFailure(
      'denied',
      `This worker does not allow the command ${command}; its owner can allow it: maw worker start --exec-allow ${command}`,
    );
  if (found === null) throw new AgentFailure('spawn_failed', `The command ${command} is not on the PATH of this worker`);
  return found;
};
