import type { ChildProcess } from 'node:child_process';

const CHECK_MS = 250;
const QUIET_CHECKS = 4;
const MAX_CHECKS = 40;

/**
 * Resolves when all output of an ended child has been read. If another process still holds the pipe, it is closed after a second without
 * output, and after ten seconds in any case.
 */
export const drained = async (child: ChildProcess, closed: Promise<unknown>): Promise<void> => {
  let quiet = 0;
  let checks = 0;
  const onData = () => {
    quiet = 0;
  };
  for (const pipe of [child.stdout, child.stderr]) pipe?.on('data', onData);
  const timer = setInterval(() => {
    if (++quiet <= QUIET_CHECKS && ++checks <= MAX_CHECKS) return;
    for (const pipe of child.stdio) pipe?.destroy();
  }, CHECK_MS);
  try {
    await closed;
  } finally {
    clearInterval(timer);
  }
};
