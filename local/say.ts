const started = performance.now();

/** A line for the person at the terminal. */
export const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** The same with the seconds since the start, for a person who waits. */
export const sayWithTime = (line: string): void => say(`[${((performance.now() - started) / 1_000).toFixed(1)} s] ${line}`);
