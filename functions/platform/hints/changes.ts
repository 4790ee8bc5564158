import type { Hints } from '../../domain/ports/hints.ts';
import { forgetWorker, recordWorker } from './presence.ts';
import { outdate } from './task-cache.ts';
import type { SendCommands } from './send-commands.ts';

export const createChangeHints = (send: SendCommands): Pick<Hints, 'recordChanges'> => ({
  recordChanges: async ({ tasks, workers, removed }) => {
    const replies = await send((pipeline) => {
      outdate(pipeline, tasks);
      for (const worker of workers) recordWorker(pipeline, worker);
      for (const worker of removed) forgetWorker(pipeline, worker);
    });
    return replies !== null;
  },
});
