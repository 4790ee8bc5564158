import { spawnSync } from 'node:child_process';
import { markedProcesses, type Process, processTable } from './process-table.ts';

const ROUNDS = 60;
const PAUSE_MS = 15;
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

const signalled = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // it has ended, or belongs to another user
  }
};

const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => {
  for (const pid of pids) signalled(pid, signal);
};

/**
 * Kills processes until `find` returns none twice in a row: a process may fork meanwhile, and during exec it shows no environment, and so
 * no mark, for a moment. Returns the processes that are still running.
 */
export const killAll = async (find: () => number[]): Promise<number[]> => {
  for (let round = 1, emptyRounds = 0; ; round++) {
    const found = find();
    emptyRounds = found.length === 0 ? emptyRounds + 1 : 0;
    if (emptyRounds > 1 || round > ROUNDS) return found;
    signalAll(found, 'SIGKILL');
    await pause();
  }
};

const endOnWindows = (root: number): void => {
  spawnSync('taskkill', ['/PID', String(root), '/T', '/F'], { windowsHide: true });
};

/** A process that was started in its own session, and all its descendants. */
export class ProcessTree {
  readonly #root: number;
  readonly #mark: string;
  readonly #isWrapped: boolean;
  readonly #known = new Map<number, string>();
  #isRootGone = false;

  /** `mark` is the beginning of a NAME=value that only the processes of this tree have. A wrapped root does not pass signals on. */
  constructor(root: number, mark: string, isWrapped: boolean) {
    this.#root = root;
    this.#mark = mark;
    this.#isWrapped = isWrapped;
  }

  /** The running processes of the tree: its session and group, their descendants with their sessions, and earlier members. */
  members(table: readonly Process[] = processTable()): number[] {
    const living = new Map(table.map(({ pid, born }) => [pid, born]));
    // While a group has a member, the system does not reuse its number.
    const hasGroup = !(this.#isRootGone && living.has(this.#root));
    for (const [pid, born] of this.#known) if (living.get(pid) !== born) this.#known.delete(pid);
    const belongs = ({ pid, parent, group, session }: Process) =>
      [parent, group, session].some((it) => this.#known.has(it)) || (hasGroup && [pid, group, session].includes(this.#root));
    for (let before = -1; before !== this.#known.size; ) {
      before = this.#known.size;
      for (const it of table) if (belongs(it)) this.#known.set(it.pid, it.born);
    }
    return [...this.#known.keys()];
  }

  /** Sends a signal to the tree. Windows has no graceful way to stop a whole tree, so there it is killed at once. */
  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL' || process.platform === 'win32') this.kill();
    else if (this.#isWrapped)
      signalAll(
        this.members().filter((pid) => pid !== this.#root),
        signal,
      );
    else signalled(-this.#root, signal);
  }

  /** Kills its current processes without waiting. */
  kill(): void {
    if (process.platform === 'win32') endOnWindows(this.#root);
    signalAll(this.#allProcesses(), 'SIGKILL');
  }

  /** Call this when the root has ended: kills the other processes. Returns those that could not be killed. */
  end(): Promise<number[]> {
    this.#isRootGone = true;
    return killAll(() => this.#allProcesses());
  }

  #allProcesses(): number[] {
    return [...new Set([...this.members(), ...markedProcesses(this.#mark)])];
  }
}
