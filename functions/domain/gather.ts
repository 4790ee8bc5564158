type Waiting<I, O> = { item: I; resolve(answer: O): void; reject(error: unknown): void };

/**
 * Does in one go what several requests ask for at the same time. An item that comes while few runs are under way is done at once;
 * those that come meanwhile go together with the next run, in order, so an item never gets what was read before it came. `work`
 * returns an answer for each item, in their order; where it throws, all items of that run get the error.
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
