const started = performance.now();

/** Prints a line for the person at the terminal. */
export const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** Prints a line with the seconds since the start. */
export const sayWithTime = (line: string): void => say(`[${((performance.now() - started) / 1_000).toFixed(1)} s] ${line}`);
