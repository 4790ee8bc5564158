/** Shorter than the time limit of a test, so that the error names what was missing before the test itself times out. */
const SOON_MS = 4_000;

/** Waits for a promise, but rejects after `ms` with an error that names it. */
export const soon = async <T>(what: string, promise: Promise<T>, ms = SOON_MS): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
