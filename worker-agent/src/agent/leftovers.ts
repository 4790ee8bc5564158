import { readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Log } from './worker-log.ts';
import { MARK } from '../process/mark.ts';
import { markedProcesses } from '../process/process-table.ts';
import { killAll } from '../process/process-tree.ts';
import { removeTree } from '../attempt/workspace.ts';

/**
 * Ends what a worker that died left running, and removes the folders of its attempts. To be called by the one process that runs the
 * worker, before it has an attempt: by the folder in the mark, what belongs to other workers is left alone.
 */
export const collectLeftovers = async (workspaces: string, keep: boolean, log: Log): Promise<void> => {
  const folder = await realpath(workspaces).catch(() => null);
  if (folder === null) return;
  const mark = `${MARK}=${folder}${sep}`;
  const found = new Set<number>();
  const survivors = await killAll(() => {
    const pids = markedProcesses(mark);
    for (const pid of pids) found.add(pid);
    return pids;
  });
  if (found.size > 0) log('warn', 'leftovers.ended', { pids: [...found].map(String) });
  if (survivors.length > 0) log('error', 'leftovers.survived', { pids: survivors.map(String) });
  if (keep) return;
  for (const name of await readdir(folder))
    await removeTree(join(folder, name)).catch((error: Error) => log('warn', 'leftovers.not-removed', { error: error.message }));
};
