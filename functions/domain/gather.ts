type Waiting<I, O> = { item: I; resolve(answer: O): void; reject(error: unknown): void };

/**
 * Serves requests that arrive at the same time in one run. An item that arrives while fewer than `atOnce` runs are active starts at
 * once; later ones share the next run, in order, so an item never gets a result that was read before it arrived. `work` returns an
 * answer for each item, in their order; when it throws, all items of that run get the error.
 */
export const createGather = <I, O>(
  work: (items: readonly I[]) => Promise<readonly O[]>,
  { most, atOnce }: { most: number; atOnce: number },
): ((item: I) => Promise<O>) => {
  const waiting: Waiting<I, O>[] = [];
  let running = 0;

  const run = async (those: readonly Waiting<I, O>[]) => {
    try {
      const answers = await work(those.map(({ item }) => item));
      those.forEach(({ resolve }, at) => resolve(answers[at] as O));
    } catch (error) {
      for (const { reject } of those) reject(error);
    }
  };

  const pump = async () => {
    running++;
    while (waiting.length > 0) await run(waiting.splice(0, most));
    running--;
  };

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (running < atOnce) void pump();
    });
};
