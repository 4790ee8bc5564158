export type Recent<T> = {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
};

/**
 * A cache of at most `most` values, each kept for `ms` by the monotonic clock. A further value evicts the oldest; reading a value does
 * not extend its time.
 */
export const createRecent = <T>({ most, ms }: { most: number; ms: number }): Recent<T> => {
  const kept = new Map<string, { value: T; until: number }>(); // in the order in which they were set
  const dropOldest = () => {
    const { value: oldest, done } = kept.keys().next();
    if (!done) kept.delete(oldest);
  };
  return {
    get: (key) => {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      if (performance.now() < found.until) return found.value;
      kept.delete(key);
      return undefined;
    },
    set: (key, value) => {
      if (!kept.delete(key) && kept.size >= most) dropOldest();
      kept.set(key, { value, until: performance.now() + ms });
    },
  };
};
