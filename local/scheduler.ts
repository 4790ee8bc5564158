/** Runs a job repeatedly, `everyMs` after it last ended and never twice at once. An error is reported and does not stop the schedule. */
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
