import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import type { IsolatedCommand } from './isolation/isolation.ts';
import { startedOnWindows } from './batch-file.ts';
import { type Stop, stopWhenTold } from './stop-signals.ts';
import { LimitGuard, type Limits } from './limit-guard.ts';
import { drained } from './pipes.ts';
import { ProcessTree } from './process-tree.ts';

type Streams = {
  stdin?: string | undefined;
  onOutput?: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
};
export type SpawnOptions = Streams & {
  /** Ends this command alone. */
  signal?: AbortSignal | undefined;
  cwd: string;
  /** What is declared beside what every command gets. */
  env: Record<string, string>;
};
export type Finished = { code: number | null; signal: string | null };
export type Supervision = {
  stop: Stop;
  limits: Limits;
  /** Begins a NAME=value in the environment of all that comes from this command. */
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

const feed = (child: ChildProcess, text: string | undefined) => {
  // A child that does not read its input closes the pipe; that is its right.
  child.stdin?.on('error', () => {});
  child.stdin?.end(text);
};

const listen = (child: ChildProcess, guard: LimitGuard, onOutput: Streams['onOutput']) => {
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]?.on('data', (bytes: Buffer) => void (guard.hears(bytes.length) && onOutput?.(stream, bytes)));
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
 * Runs a command without a shell, in a session of its own, and waits for it and its output. When it has to stop it is ended step by
 * step. Whatever it left running is killed, and is waited for no longer than it takes. Rejects when it cannot be started, and with
 * AgentFailure when it went beyond a limit.
 */
export const runCommand = async (command: IsolatedCommand, { stdin, onOutput }: Streams, supervision: Supervision): Promise<Finished> => {
  const child = start(command, stdin !== undefined);
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const closed = once(child, 'close');
  // When it cannot be started they reject too, and nobody waits for them.
  for (const promise of [exited, closed]) promise.catch(() => {});
  const tree = new ProcessTree(await pidOf(child), supervision.mark, command.isWrapped);
  running.add(tree);
  const forget = supervision.onStarted?.(child.pid as number);
  const guard = new LimitGuard(tree, supervision.limits);
  standBack(child.pid as number);
  listen(child, guard, onOutput);
  feed(child, stdin);
  const leaveAlone = stopWhenTold(tree, supervision.stop);
  const [code, signal] = await exited;
  leaveAlone();
  const survivors = await tree.end();
  if (survivors.length > 0) supervision.onSurvivors?.(survivors);
  forget?.();
  await drained(child, closed);
  running.delete(tree);
  guard.end();
  return { code, signal };
};

/** For the very end of this process: nothing that it started may outlive it. */
export const killEverything = (): void => {
  for (const tree of running) tree.kill();
};
