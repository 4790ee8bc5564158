import { readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Log } from './worker-log.ts';
import { MARK } from '../process/mark.ts';
import { markedProcesses } from '../process/process-table.ts';
import { killAll } from '../process/process-tree.ts';
import { removeTree } from '../attempt/workspace.ts';

/**
 * Ends the processes that a crashed worker left running, and removes the folders of its attempts. Only the process that runs the worker
 * may call it, before its first attempt. The mark contains the folder, so processes of other workers are not touched.
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
