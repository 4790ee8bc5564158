const KINDS = ['memory', 'server', 'none'] as const;

const kindOf = (text = 'memory'): (typeof KINDS)[number] => {
  const kind = KINDS.find((it) => it === text);
  if (kind === undefined) throw new Error(`TEST_REDIS is ${text}; it must be one of ${KINDS.join(', ')}`);
  return kind;
};

/** The kind of Redis that tests run with. With `none`, tests of Redis and of push are skipped. */
export const REDIS = kindOf(process.env.TEST_REDIS || undefined);
export const NO_REDIS = REDIS === 'none';

/** An address where nothing listens: without Redis there is no push. */
export const DEAD_REDIS = 'redis://127.0.0.1:1';

/** How long clients in tests wait for a response. Long, because a busy machine may not schedule either process for a while. */
export const PATIENCE_MS = 15_000;
