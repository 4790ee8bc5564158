import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import type { IsolatedCommand } from './isolation/isolation.ts';
import { startedOnWindows } from './batch-file.ts';
import { type Stop, stopOnAbort } from './stop-signals.ts';
import { LimitGuard, type Limits } from './limit-guard.ts';
import { drained } from './pipes.ts';
import { ProcessTree } from './process-tree.ts';

type Streams = {
  stdin?: string | undefined;
  onOutput?: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
};
export type SpawnOptions = Streams & {
  /** Ends only this command. */
  signal?: AbortSignal | undefined;
  cwd: string;
  /** Additional variables, besides those that every command gets. */
  env: Record<string, string>;
};
export type Finished = { code: number | null; signal: string | null };
export type Supervision = {
  stop: Stop;
  limits: Limits;
  /** The beginning of a NAME=value in the environment of all processes of this command. */
  mark: string;
  /** Returns a function to call when the process and all its descendants have ended. */
  onStarted?: (root: number) => () => void;
  onSurvivors?: (pids: number[]) => void;
};

/** Tools run with a lower priority than the worker, which renews their leases, and than a server on the same machine. */
const NICE = 10;
/** From -1000 to 1000: when memory runs out, the system kills a tool rather than the worker. */
const OOM_SCORE = '500';

const lowerPriority = (pid: number): void => {
  try {
    setPriority(pid, NICE);
  } catch {
    // It has already ended, or the system does not permit it; it runs with normal priority.
  }
  if (process.platform === 'linux') writeFile(`/proc/${pid}/oom_score_adj`, OOM_SCORE).catch(() => {});
};

const feed = (child: ChildProcess, text: string | undefined) => {
  // A child may close the pipe without reading its input; that is not an error.
  child.stdin?.on('error', () => {});
  child.stdin?.end(text);
};

const listen = (child: ChildProcess, guard: LimitGuard, onOutput: Streams['onOutput']) => {
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]?.on('data', (bytes: Buffer) => void (guard.countOutput(bytes.length) && onOutput?.(stream, bytes)));
};

const start = ({ file, args, cwd, env }: IsolatedCommand, hasInput: boolean): ChildProcess => {
  const isWindows = process.platform === 'win32';
  const program = isWindows ? startedOnWindows(file, args) : { file, args };
  return spawn(program.file, program.args, {
    cwd,
    env,
    shell: false,
    detached: !isWindows,
    windowsHide: true,
    windowsVerbatimArguments: 'windowsVerbatimArguments' in program,
    stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
};

const pidOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number));
    child.once('error', reject);
  });

const running = new Set<ProcessTree>();

/**
 * Runs a command without a shell, in its own session, and waits for it and its output. To stop it, increasingly strong signals are sent.
 * Processes that it leaves running are killed. Rejects if it cannot be started, and with AgentFailure if it exceeded a limit.
 */
export const runCommand = async (command: IsolatedCommand, { stdin, onOutput }: Streams, supervision: Supervision): Promise<Finished> => {
  const child = start(command, stdin !== undefined);
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const closed = once(child, 'close');
  // If it cannot be started these reject too, and nothing awaits them.
  for (const promise of [exited, closed]) promise.catch(() => {});
  const tree = new ProcessTree(await pidOf(child), supervision.mark, command.isWrapped);
  running.add(tree);
  const forget = supervision.onStarted?.(child.pid as number);
  const guard = new LimitGuard(tree, supervision.limits);
  lowerPriority(child.pid as number);
  listen(child, guard, onOutput);
  feed(child, stdin);
  const cancelStop = stopOnAbort(tree, supervision.stop);
  const [code, signal] = await exited;
  cancelStop();
  const survivors = await tree.end();
  if (survivors.length > 0) supervision.onSurvivors?.(survivors);
  forget?.();
  await drained(child, closed);
  running.delete(tree);
  guard.end();
  return { code, signal };
};

/** Kills all running commands. Called when this process exits, so that none of them outlives it. */
export const killEverything = (): void => {
  for (const tree of running) tree.kill();
};
