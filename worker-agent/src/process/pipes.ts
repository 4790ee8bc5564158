import type { ChildProcess } from 'node:child_process';

const LOOK_MS = 250;
const QUIET_LOOKS = 4;
const MOST_LOOKS = 40;

/**
 * Resolves when all that an ended child printed has been read. A pipe that somebody else still holds is closed once nothing has come
 * through it for a second, and at last after ten.
 */
export const drained = async (child: ChildProcess, closed: Promise<unknown>): Promise<void> => {
  let quiet = 0;
  let looks = 0;
  const heard = () => {
    quiet = 0;
  };
  for (const pipe of [child.stdout, child.stderr]) pipe?.on('data', heard);
  const timer = setInterval(() => {
    if (++quiet <= QUIET_LOOKS && ++looks <= MOST_LOOKS) return;
    for (const pipe of child.stdio) pipe?.destroy();
  }, LOOK_MS);
  try {
    await closed;
  } finally {
    clearInterval(timer);
  }
};
