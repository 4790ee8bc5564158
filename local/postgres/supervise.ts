import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

const STOP_MS = 10_000;
const RESTARTS = 40;

type Supervision = {
  start: () => ChildProcess;
  /** Returns false if the process ended before it was ready. */
  becomesReady: (child: ChildProcess) => Promise<boolean>;
  /** Why the process does not start. */
  reason: () => string;
  say: (line: string) => void;
};
type Supervised = { pid(): number; stop(): Promise<void> };

export const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;

/** Starts a process, and restarts it whenever it ends by itself. */
export const supervise = async ({ start, becomesReady, reason, say }: Supervision): Promise<Supervised> => {
  let child = start();
  let stopping = false;
  let reviving: Promise<unknown> = Promise.resolve();
  /** After a kill, old child processes may still hold shared memory for a moment, so a failed start is retried. */
  const bringUp = async () => {
    for (let tries = 1; !(await becomesReady(child)) || hasEnded(child); tries++) {
      if (tries > RESTARTS) throw new Error(reason());
      await pause(Math.min(50 * tries, 1_000));
      if (stopping) return;
      child = start();
    }
    child.once('exit', revive);
  };
  const revive = (code: number | null, signal: string | null) => {
    if (stopping) return;
    say(`PostgreSQL ended (${signal ?? `exit code ${code}`}); restarting it`);
    child = start();
    reviving = bringUp().then(
      () => stopping || say('PostgreSQL is available again'),
      (error: Error) => say(error.message),
    );
  };
  const stop = async () => {
    stopping = true;
    await end(child);
    await reviving;
  };
  try {
    await bringUp();
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: () => child.pid ?? 0, stop };
};

const end = async (child: ChildProcess) => {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
};
