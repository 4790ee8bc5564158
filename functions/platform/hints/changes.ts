import type { Hints } from '../../domain/ports/hints.ts';
import { forgetWorker, recordWorker } from './presence.ts';
import { outdate } from './task-cache.ts';
import type { Tell } from './tell.ts';

export const createChangeHints = (tell: Tell): Pick<Hints, 'recordChanges'> => ({
  recordChanges: async ({ tasks, workers, removed }) => {
    const told = await tell((pipeline) => {
      outdate(pipeline, tasks);
      for (const worker of workers) recordWorker(pipeline, worker);
      for (const worker of removed) forgetWorker(pipeline, worker);
    });
    return told !== null;
  },
});
