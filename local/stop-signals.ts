const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may arrive several times: from the terminal, from npm and from what npm started. Only a later one counts as a second. */
const SECOND_AFTER_MS = 500;

type StopSignals = {
  /** Stops in order. */
  stop: () => void;
  /** Called on the second request: stops at once. */
  force: () => void;
};

/** Ctrl-C, SIGTERM, a closed terminal and an output that nobody reads any more all request a stop. */
export const onStopSignals = ({ stop, force }: StopSignals): void => {
  let asked = false;
  let again = false;
  const first = () => {
    if (asked) return;
    asked = true;
    stop();
    // Signals that arrived while the process was busy are handled before this immediate.
    setTimeout(() => setImmediate(() => (again = true)), SECOND_AFTER_MS).unref();
  };
  const onSignal = () => {
    if (!asked) first();
    else if (again) force();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', first);
};
