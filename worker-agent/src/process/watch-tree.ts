import { memoryOf } from './process-memory.ts';
import { processTable } from './process-table.ts';
import type { ProcessTree } from './process-tree.ts';

/** Listing processes costs 5 ms on Linux and more where it takes a program. */
const LOOK_MS = process.platform === 'linux' ? 500 : 2_000;

type Watched = { tree: ProcessTree; onMemory: (bytes: number) => void };
const watched = new Set<Watched>();
let timer: NodeJS.Timeout | undefined;

const look = (): void => {
  const table = processTable();
  for (const { tree, onMemory } of watched) onMemory(memoryOf(tree.members(table)));
};

/**
 * Looks at a tree from time to time, so that it knows its descendants before their parents end, and tells what memory they take up.
 * Answers how to stop that.
 */
export const watchTree = (tree: ProcessTree, onMemory: (bytes: number) => void): (() => void) => {
  const it = { tree, onMemory };
  watched.add(it);
  timer ??= setInterval(look, LOOK_MS).unref();
  return () => {
    watched.delete(it);
    if (watched.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
};
