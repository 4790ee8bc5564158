import type { ProcessTree } from './process-tree.ts';

export type Stop = {
  /** Aborts when the work has to stop. */
  signal: AbortSignal;
  /** Aborts when the tool should already have stopped: another worker may be doing the same work. */
  urgent: AbortSignal;
  graceMs: number;
};

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const;
const URGENT_GRACE_MS = 300;

/** Sends increasingly strong signals, with a pause after each. Returns a function that stops this. */
const escalate = (tree: ProcessTree, graceMs: number): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  const step = (at: number) => {
    const name = SIGNALS[at];
    if (name === undefined) return;
    tree.signal(name);
    timer = setTimeout(() => step(at + 1), graceMs);
  };
  step(0);
  return () => clearTimeout(timer);
};

/** Stops a tree with increasingly strong signals when a signal aborts, faster when that is urgent. Returns a function that cancels this. */
export const stopOnAbort = (tree: ProcessTree, { signal, urgent, graceMs }: Stop): (() => void) => {
  let settle = () => {};
  const start = () => {
    settle();
    settle = escalate(tree, urgent.aborted ? Math.min(graceMs, URGENT_GRACE_MS) : graceMs);
  };
  for (const it of [signal, urgent]) it.addEventListener('abort', start, { once: true });
  if (signal.aborted || urgent.aborted) start();
  return () => {
    settle();
    for (const it of [signal, urgent]) it.removeEventListener('abort', start);
  };
};
