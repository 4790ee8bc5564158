import type { ProcessTree } from './process-tree.ts';

export type Stop = {
  /** Aborts when the work has to stop. */
  signal: AbortSignal;
  /** Aborts when it should be gone by now: somebody else may do the same work. */
  urgent: AbortSignal;
  graceMs: number;
};

const LADDER = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const;
const URGENT_GRACE_MS = 300;

/** Climbs from a polite signal to one that cannot be ignored. */
const climb = (tree: ProcessTree, graceMs: number): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const step = (at: number) => {
    const name = LADDER[at];
    if (name === undefined) return;
    tree.signal(name);
    timer = setTimeout(() => step(at + 1), graceMs);
  };
  step(0);
  return () => clearTimeout(timer);
};

/** Ends a tree step by step when it has to stop, faster when that is urgent. Answers how to leave it alone. */
export const stopWhenTold = (tree: ProcessTree, { signal, urgent, graceMs }: Stop): (() => void) => {
  let settle = () => {};
  const start = () => {
    settle();
    settle = climb(tree, urgent.aborted ? Math.min(graceMs, URGENT_GRACE_MS) : graceMs);
  };
  for (const it of [signal, urgent]) it.addEventListener('abort', start, { once: true });
  if (signal.aborted || urgent.aborted) start();
  return () => {
    settle();
    for (const it of [signal, urgent]) it.removeEventListener('abort', start);
  };
};
