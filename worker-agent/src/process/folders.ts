import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { AgentFailure } from '../attempt/agent-failure.ts';

export const isInside = (path: string, folder: string): boolean => {
  const rest = relative(folder, path);
  return rest === '' || (rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest));
};

const real = (path: string): Promise<string | null> => realpath(path).catch(() => null);

/** Follows all links of a path that a subtask names. Throws denied if it is outside of the folders; returns null if it does not exist. */
export const insideOf = async (folders: readonly string[], base: string, name: string, what: string): Promise<string | null> => {
  const path = await real(resolve(base, name));
  if (path === null) return null;
  const roots = await Promise.all(folders.map(real));
  if (roots.some((root) => root !== null && isInside(path, root))) return path;
  throw new AgentFailure(
    'denied',
    `${what} ${name} is outside of the folders that this worker allows; its owner can allow it: maw worker start --exec-root FOLDER`,
  );
};

/** The folder in which a command runs. */
export const workingFolder = async (workspace: string, roots: readonly string[], cwd: string | undefined): Promise<string> => {
  if (cwd === undefined) return workspace;
  const path = await insideOf([workspace, ...roots], workspace, cwd, 'cwd');
  if (path === null || !(await stat(path)).isDirectory()) throw new AgentFailure('tool_error', `cwd ${cwd} is not a folder on this worker`);
  return path;
};
