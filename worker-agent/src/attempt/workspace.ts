import { chmod, mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

export type Workspace = {
  /** The folder of the attempt, which contains the others. */
  root: string;
  /** The folder in which the tool works, empty at first. */
  path: string;
  home: string;
  temporary: string;
  remove(): Promise<void>;
};

/** No workspace could be created on the worker's disk. The subtask is not at fault. */
export class NoWorkspace extends Error {
  constructor(cause: unknown) {
    super(`the worker cannot create a workspace on its disk: ${(cause as Error).message}`, { cause });
    this.name = 'NoWorkspace';
  }
}

/** Restores the permissions that are needed to remove a tree: some tools, such as Go, leave read-only folders. */
const unlock = async (folder: string): Promise<void> => {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await unlock(join(folder, entry.name));
};

/** Removes a folder with its content, without following links. Throws when something cannot be removed. */
export const removeTree = async (folder: string): Promise<void> => {
  // On Windows a process that is about to end may keep a file open for a moment.
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  try {
    await remove();
  } catch {
    await unlock(folder);
    await remove();
  }
};

/**
 * Creates the folders of one attempt, readable by this user only. Their paths are short, since the path of a Unix socket in the temporary
 * folder may have only about 100 characters. What cannot be removed is removed at the next start of the worker.
 */
export const createWorkspace = async (workspaces: string, subtaskId: string, attempt: number, keep: boolean): Promise<Workspace> => {
  const wanted = join(workspaces, `${subtaskId.replaceAll('-', '').slice(-12)}-${attempt}`);
  await removeTree(wanted);
  await mkdir(wanted, { recursive: true, mode: 0o700 });
  const root = await realpath(wanted);
  const [path, home, temporary] = [join(root, 'work'), join(root, 'home'), join(root, 'tmp')];
  for (const folder of [path, home, temporary]) await mkdir(folder, { mode: 0o700 });
  return { root, path, home, temporary, remove: keep ? async () => {} : () => removeTree(root).catch(() => {}) };
};

/** Throws if no workspace can be created. */
export const tryWorkspace = async (workspaces: string): Promise<void> => {
  const { remove } = await createWorkspace(workspaces, 'probe', 0, false);
  await remove();
};
