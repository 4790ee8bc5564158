import { spawnSync } from 'node:child_process';
import { markedProcesses, type Process, processTable } from './process-table.ts';

const ROUNDS = 60;
const PAUSE_MS = 15;
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

const signalled = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // it has ended, or belongs to somebody else
  }
};

const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => {
  for (const pid of pids) signalled(pid, signal);
};

/**
 * Kills until `find` finds nobody twice: who forks in the meantime is met in the next round, and who is just becoming another program
 * shows no environment, and so no mark, for a moment. Answers who is still there.
 */
export const killAll = async (find: () => number[]): Promise<number[]> => {
  for (let round = 1, inVain = 0; ; round++) {
    const found = find();
    inVain = found.length === 0 ? inVain + 1 : 0;
    if (inVain > 1 || round > ROUNDS) return found;
    signalAll(found, 'SIGKILL');
    await pause();
  }
};

const endOnWindows = (root: number): void => {
  spawnSync('taskkill', ['/PID', String(root), '/T', '/F'], { windowsHide: true });
};

/** A process that was started with a session of its own, and everything that came from it. */
export class ProcessTree {
  readonly #root: number;
  readonly #mark: string;
  readonly #isWrapped: boolean;
  readonly #known = new Map<number, string>();
  #isRootGone = false;

  /** `mark` begins a NAME=value in the environment of all of it and of nobody else; a wrapped root does not pass signals on. */
  constructor(root: number, mark: string, isWrapped: boolean) {
    this.#root = root;
    this.#mark = mark;
    this.#isWrapped = isWrapped;
  }

  /** Who lives of it: its session and group, what descends from them with their sessions, and what did when it was seen before. */
  members(table: readonly Process[] = processTable()): number[] {
    const living = new Map(table.map(({ pid, born }) => [pid, born]));
    // As long as a group has a member the system gives its number to no other process.
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

  /** Tells it to end. Windows knows no polite way that a whole tree would hear, so there it is ended at once. */
  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL' || process.platform === 'win32') this.kill();
    else if (this.#isWrapped)
      signalAll(
        this.members().filter((pid) => pid !== this.#root),
        signal,
      );
    else signalled(-this.#root, signal);
  }

  /** Kills what there is of it now, without waiting. */
  kill(): void {
    if (process.platform === 'win32') endOnWindows(this.#root);
    signalAll(this.#everyone(), 'SIGKILL');
  }

  /** To be called when the root has ended: ends the rest. Answers who could not be ended. */
  end(): Promise<number[]> {
    this.#isRootGone = true;
    return killAll(() => this.#everyone());
  }

  #everyone(): number[] {
    return [...new Set([...this.members(), ...markedProcesses(this.#mark)])];
  }
}
