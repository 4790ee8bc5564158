import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

type Workspace = { path: string; remove(): Promise<void> };

/** An empty folder for one attempt, readable by this user only. */
export const createWorkspace = async (stateDir: string, subtaskId: string, attempt: number, keep: boolean): Promise<Workspace> => {
  const wanted = join(stateDir, 'workspaces', `${subtaskId}-${attempt}`);
  await rm(wanted, { recursive: true, force: true });
  await mkdir(wanted, { recursive: true, mode: 0o700 });
  const path = await realpath(wanted);
  // On Windows a process that is about to end may hold a file for a moment.
  const remove = () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }).catch(() => {});
  return { path, remove: keep ? async () => {} : remove };
};
