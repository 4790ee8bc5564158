import { AgentFailure } from '../attempt/agent-failure.ts';
import type { ProcessTree } from './process-tree.ts';
import { watchTree } from './watch-tree.ts';

/** The maximum memory that the processes of one command may use together, and the maximum output. */
export type Limits = { memoryBytes: number; outputBytes: number };

const mebibytes = (bytes: number) => `${Math.floor(bytes / 1_048_576)} MiB`;

/** Kills a process tree that exceeds its limits. */
export class LimitGuard {
  readonly #tree: ProcessTree;
  readonly #limits: Limits;
  readonly #unwatch: () => void;
  #printed = 0;
  #excess: string | null = null;

  constructor(tree: ProcessTree, limits: Limits) {
    this.#tree = tree;
    this.#limits = limits;
    this.#unwatch = watchTree(tree, (bytes) => {
      if (bytes > limits.memoryBytes) this.#exceed(`used ${mebibytes(bytes)} of memory, more than the`, limits.memoryBytes, 'memory');
    });
  }

  /** Counts output. Returns whether it is within the limit and may be processed. */
  countOutput(bytes: number): boolean {
    this.#printed += bytes;
    const { outputBytes } = this.#limits;
    if (this.#printed > outputBytes) this.#exceed('printed more than the', outputBytes, 'output');
    return this.#excess === null;
  }

  /** Throws when a limit was exceeded. */
  end(): void {
    this.#unwatch();
    if (this.#excess !== null) throw new AgentFailure('tool_error', this.#excess);
  }

  #exceed(what: string, limit: number, name: 'memory' | 'output'): void {
    if (this.#excess !== null) return;
    this.#excess = `The command was stopped: it ${what} ${mebibytes(limit)} that this worker allows (--max-${name}-mb)`;
    this.#tree.kill();
  }
}
