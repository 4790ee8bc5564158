import { chmod, mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

export type Workspace = {
  /** The folder of the attempt; the others lie in it. */
  root: string;
  /** Where the tool works: empty at first. */
  path: string;
  home: string;
  temporary: string;
  remove(): Promise<void>;
};

/** The disk takes no workspace: that is no fault of the subtask. */
export class NoWorkspace extends Error {
  constructor(cause: unknown) {
    super(`the worker's disk takes no workspace: ${(cause as Error).message}`, { cause });
    this.name = 'NoWorkspace';
  }
}

/** Gives a tree back the rights that removing it needs: some tools, such as Go, leave folders that nobody may write to. */
const unlock = async (folder: string): Promise<void> => {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await unlock(join(folder, entry.name));
};

/** Removes a folder with all that is in it, following no link; throws when something stays. */
export const removeTree = async (folder: string): Promise<void> => {
  // On Windows a process that is about to end may hold a file for a moment.
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  try {
    await remove();
  } catch {
    await unlock(folder);
    await remove();
  }
};

/**
 * The folders of one attempt, readable by this user only. Their path is short, since sockets in the temporary folder may have no more
 * than about 100 characters; what cannot be removed is collected at the next start of the worker.
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

/** Throws where no workspace could be made. */
export const tryWorkspace = async (workspaces: string): Promise<void> => {
  const { remove } = await createWorkspace(workspaces, 'probe', 0, false);
  await remove();
};
