const KINDS = ['memory', 'server', 'none'] as const;

const kindOf = (text = 'memory'): (typeof KINDS)[number] => {
  const kind = KINDS.find((it) => it === text);
  if (kind === undefined) throw new Error(`TEST_REDIS is ${text}; it must be one of ${KINDS.join(', ')}`);
  return kind;
};

/** What backends and homes of tests get for Redis. Tests that are about Redis or push are skipped where it is `none`. */
export const REDIS = kindOf(process.env.TEST_REDIS || undefined);
export const NO_REDIS = REDIS === 'none';

/** Nothing listens there: without Redis there is no push. */
export const DEAD_REDIS = 'redis://127.0.0.1:1';

/** How long clients of tests wait for an answer: neither who gives it nor this process may run for a while on a busy machine. */
export const PATIENCE_MS = 15_000;
