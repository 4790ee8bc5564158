import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { killGroup, sweep } from './process-tree.ts';

export type SpawnOptions = {
  cwd: string;
  env: Record<string, string>;
  stdin?: string | undefined;
  onOutput?: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
};
export type Finished = { code: number | null; signal: string | null };
type Ladder = { marker: string; graceMs: number; signal: AbortSignal };

const LADDER = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const;

/** Climbs from a polite signal to one that cannot be ignored until the process is gone. */
const climb = (child: ChildProcess, graceMs: number): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const step = (at: number) => {
    const name = LADDER[at];
    if (name === undefined) return;
    killGroup(child, name);
    timer = setTimeout(() => step(at + 1), graceMs);
  };
  step(0);
  return () => clearTimeout(timer);
};

/** Tools stand back behind what keeps their leases: the worker's own requests, and a server on the same machine. */
const NICE = 10;

const standBack = (pid: number | undefined) => {
  try {
    if (pid !== undefined) setPriority(pid, NICE);
  } catch {
    // It has ended already, or the system does not let us: it works all the same.
  }
};

const feed = (child: ChildProcess, text: string) => {
  // A child that does not read its input closes the pipe; that is its right.
  child.stdin?.on('error', () => {});
  child.stdin?.end(text);
};

const listen = (child: ChildProcess, onOutput: SpawnOptions['onOutput']) => {
  child.stdout?.on('data', (bytes: Buffer) => onOutput?.('stdout', bytes));
  child.stderr?.on('data', (bytes: Buffer) => onOutput?.('stderr', bytes));
};

const started = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });

/**
 * Runs a command without a shell, in a process group of its own, and waits for it and its output. When `signal` aborts it is
 * ended step by step. Whatever it left running is killed: the rest of its group, and on Linux what moved to another session.
 * Rejects when it cannot be started.
 */
export const runCommand = async (file: string, args: readonly string[], options: SpawnOptions, ladder: Ladder): Promise<Finished> => {
  const stdin = options.stdin === undefined ? 'ignore' : 'pipe';
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env,
    shell: false,
    detached: process.platform !== 'win32',
    windowsHide: true,
    stdio: [stdin, 'pipe', 'pipe'],
  });
  await started(child);
  standBack(child.pid);
  running.add(child);
  listen(child, options.onOutput);
  if (options.stdin !== undefined) feed(child, options.stdin);
  let settle = () => {};
  const stop = () => {
    settle = climb(child, ladder.graceMs);
  };
  if (ladder.signal.aborted) stop();
  else ladder.signal.addEventListener('abort', stop, { once: true });
  try {
    return await ended(child, ladder.marker);
  } finally {
    settle();
    ladder.signal.removeEventListener('abort', stop);
    running.delete(child);
  }
};

const ended = async (child: ChildProcess, marker: string): Promise<Finished> => {
  const closed = once(child, 'close');
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  killGroup(child, 'SIGKILL');
  await sweep(marker);
  await closed;
  return { code, signal };
};

const running = new Set<ChildProcess>();

/** For the very end of this process: nothing that it started may outlive it. */
export const killEverything = (): void => {
  for (const child of running) killGroup(child, 'SIGKILL');
};
