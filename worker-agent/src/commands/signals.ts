import type { WorkerAgent } from '../agent.ts';
import { killEverything } from '../tools/spawn.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first signal drains, the second gives the work back, the third ends the process at once. Answers how to stop listening. */
export const listenToSignals = (agent: WorkerAgent): (() => void) => {
  let count = 0;
  const heard = (name: NodeJS.Signals) => {
    count++;
    if (count === 1) agent.drain(name);
    else if (count === 2) agent.cancel(name);
    else process.exit(130);
  };
  for (const name of SIGNALS) process.on(name, heard);
  process.on('exit', killEverything);
  return () => {
    for (const name of SIGNALS) process.off(name, heard);
    process.off('exit', killEverything);
  };
};
