import { memoryOf } from './process-memory.ts';
import { processTable } from './process-table.ts';
import type { ProcessTree } from './process-tree.ts';

/** Listing processes takes 5 ms on Linux, and longer on systems where it needs to start `ps`. */
const CHECK_MS = process.platform === 'linux' ? 500 : 2_000;

type Watched = { tree: ProcessTree; onMemory: (bytes: number) => void };
const watched = new Set<Watched>();
let timer: NodeJS.Timeout | undefined;

const check = (): void => {
  const table = processTable();
  for (const { tree, onMemory } of watched) onMemory(memoryOf(tree.members(table)));
};

/**
 * Checks a tree at intervals, so that it records descendants before their parents end, and reports the memory that they use. Returns a
 * function that stops this.
 */
export const watchTree = (tree: ProcessTree, onMemory: (bytes: number) => void): (() => void) => {
  const it = { tree, onMemory };
  watched.add(it);
  timer ??= setInterval(check, CHECK_MS).unref();
  return () => {
    watched.delete(it);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
};
