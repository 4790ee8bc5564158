const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may come several times, from the terminal, from npm and from what npm started: only a later one is a second. */
const SECOND_AFTER_MS = 500;

type StopSignals = {
  /** Ends in order. */
  stop: () => void;
  /** Asked a second time: ends at once. */
  force: () => void;
};

/** Ctrl-C, a request to end, a closed terminal, and nobody there any more to take the output all ask for an end. */
export const onStopSignals = ({ stop, force }: StopSignals): void => {
  let asked = false;
  let again = false;
  const first = () => {
    if (asked) return;
    asked = true;
    stop();
    // What came while this process was too busy to hear it is heard before the immediate.
    setTimeout(() => setImmediate(() => (again = true)), SECOND_AFTER_MS).unref();
  };
  const heard = () => {
    if (!asked) first();
    else if (again) force();
  };
  for (const signal of SIGNALS) process.on(signal, heard);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', first);
};
