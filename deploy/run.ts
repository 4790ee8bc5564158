import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

/** Kills a process and everything that it started; it must have been started detached, as the leader of a group. */
export const endGroup = (child: ChildProcess, signal: NodeJS.Signals) => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
};

type RunOptions = SpawnOptions & { timeoutMs: number; signal?: AbortSignal };

/** Runs a command to its end and returns its output. Throws if it fails, takes too long or is aborted. */
export const runCommand = async (command: string, args: readonly string[], { timeoutMs, signal, ...options }: RunOptions) => {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], detached: true, ...options });
  const end = () => endGroup(child, 'SIGKILL');
  const timer = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    signal?.throwIfAborted();
    if (code === 0) return;
    const why = code === null ? `was killed, after ${timeoutMs / 1_000} s at most` : `ended with ${code}`;
    throw new Error(`${command} ${args.join(' ')} ${why}`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
};
