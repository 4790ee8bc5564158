/** Less than a test may take: an error names what never came, before the test itself times out. */
const SOON_MS = 4_000;

/** Waits for a promise, but not longer than what is pushed or read again takes. */
export const soon = async <T>(what: string, promise: Promise<T>, ms = SOON_MS): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
