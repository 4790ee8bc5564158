import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import type { Isolated } from '../isolation/isolation.ts';
import { type Stop, stopWhenTold } from './ladder.ts';
import { drained } from './pipes.ts';
import { ProcessTree } from './process-tree.ts';

type Streams = {
  stdin?: string | undefined;
  onOutput?: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
};
export type SpawnOptions = Streams & {
  cwd: string;
  /** What is declared beside what every command gets. */
  env: Record<string, string>;
};
export type Finished = { code: number | null; signal: string | null };
type Supervision = Stop & {
  /** Begins a NAME=value in the environment of all that belongs to the attempt. */
  mark: string;
  /** Answers what is to be called when the process has ended, with all that came from it. */
  onStarted?: (root: number) => () => void;
  onSurvivors?: (pids: number[]) => void;
};

/** Tools stand back behind what keeps their leases: the worker's own requests, and a server on the same machine. */
const NICE = 10;
/** Of -1000 to 1000: when memory runs out the system ends a tool rather than the worker. */
const OOM_SCORE = '500';

const standBack = (pid: number): void => {
  try {
    setPriority(pid, NICE);
  } catch {
    // It has ended already, or the system does not let us: it works all the same.
  }
  if (process.platform === 'linux') writeFile(`/proc/${pid}/oom_score_adj`, OOM_SCORE).catch(() => {});
};

const feed = (child: ChildProcess, text: string) => {
  // A child that does not read its input closes the pipe; that is its right.
  child.stdin?.on('error', () => {});
  child.stdin?.end(text);
};

const listen = (child: ChildProcess, onOutput: Streams['onOutput']) => {
  child.stdout?.on('data', (bytes: Buffer) => onOutput?.('stdout', bytes));
  child.stderr?.on('data', (bytes: Buffer) => onOutput?.('stderr', bytes));
};

const started = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number));
    child.once('error', reject);
  });

/**
 * Runs a command without a shell, in a session of its own, and waits for it and its output. When it has to stop it is ended step by
 * step. Whatever it left running is killed, and is waited for no longer than it takes. Rejects when it cannot be started.
 */
export const runCommand = async (command: Isolated, options: Streams, supervision: Supervision): Promise<Finished> => {
  const child = spawn(command.file, command.args, {
    cwd: command.cwd,
    env: command.env,
    shell: false,
    detached: process.platform !== 'win32',
    windowsHide: true,
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const closed = once(child, 'close');
  closed.catch(() => {});
  exited.catch(() => {});
  const tree = new ProcessTree(await started(child), supervision.mark, command.isWrapped);
  running.add(tree);
  const forget = supervision.onStarted?.(child.pid as number);
  standBack(child.pid as number);
  listen(child, options.onOutput);
  if (options.stdin !== undefined) feed(child, options.stdin);
  const leaveAlone = stopWhenTold(tree, supervision);
  try {
    const [code, signal] = await exited;
    leaveAlone();
    const survivors = await tree.end();
    if (survivors.length > 0) supervision.onSurvivors?.(survivors);
    await drained(child, closed);
    return { code, signal };
  } finally {
    leaveAlone();
    forget?.();
    running.delete(tree);
  }
};

const running = new Set<ProcessTree>();

/** For the very end of this process: nothing that it started may outlive it. */
export const killEverything = (): void => {
  for (const tree of running) tree.kill();
};
