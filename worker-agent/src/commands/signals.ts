import type { WorkerAgent } from '../agent.ts';
import { killEverything } from '../tools/spawn.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may come several times, from the terminal and from what started this: only a later one is a second. */
const SECOND_AFTER_MS = 500;

/**
 * The first signal drains, the second gives the work back, the third ends the process at once. Where the terminal was closed, or nobody
 * reads the output any more, nobody can ask twice either: the work is given back at once. So it is when draining took `drainForMs` (0: as
 * long as it takes). Answers how to stop listening.
 */
export const listenToSignals = (agent: Pick<WorkerAgent, 'drain' | 'cancel'>, drainForMs = 0): (() => void) => {
  let limit: NodeJS.Timeout | undefined;
  let count = 0;
  let countedAt = -Infinity;
  const begin = (name: string) => {
    agent.drain(name);
    if (drainForMs > 0) limit = setTimeout(() => agent.cancel(`it drained for ${drainForMs} ms`), drainForMs);
  };
  const hungUp = () => {
    if (count >= 2) return;
    count = 2;
    countedAt = performance.now();
    agent.cancel('SIGHUP');
  };
  const heard = (name: NodeJS.Signals) => {
    if (name === 'SIGHUP') return hungUp();
    if (performance.now() - countedAt < SECOND_AFTER_MS) return;
    count++;
    countedAt = performance.now();
    if (count === 1) begin(name);
    else if (count === 2) agent.cancel(name);
    else process.exit(130);
  };
  for (const name of SIGNALS) process.on(name, heard);
  // To the very end: the last line may fail when nobody listens to signals any more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', hungUp);
  process.on('exit', killEverything);
  return () => {
    clearTimeout(limit);
    for (const name of SIGNALS) process.off(name, heard);
    process.off('exit', killEverything);
  };
};
