const started = performance.now();

/** A line for the person who waits, with the seconds since the start. */
export const say = (line: string) => process.stdout.write(`[${((performance.now() - started) / 1_000).toFixed(1)} s] ${line}\n`);
