/** Runs a job again and again, `everyMs` after it ended, never twice at once; an error is told and the next run comes all the same. */
export const every = (everyMs: number, job: () => Promise<unknown>, onError: (error: unknown) => void): { stop(): Promise<void> } => {
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  let stopped = false;
  const tick = () => {
    running = job()
      .then(() => {}, onError)
      .then(() => {
        if (!stopped) timer = setTimeout(tick, everyMs);
      });
  };
  timer = setTimeout(tick, everyMs);
  return {
    stop: () => {
      stopped = true;
      if (timer) clearTimeout(timer);
      return running;
    },
  };
};
