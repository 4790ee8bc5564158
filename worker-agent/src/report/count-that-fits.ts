type Bounds = { maxCount: number; maxBytes: number };

/** How many of the first items fit in one request: at least one, even if it is too large. */
export const countThatFits = <T>(items: readonly T[], bytesOf: (item: T) => number, { maxCount, maxBytes }: Bounds): number => {
  let bytes = 0;
  let count = 0;
  for (const item of items.slice(0, maxCount)) {
    bytes += bytesOf(item);
    if (count > 0 && bytes > maxBytes) break;
    count++;
  }
  return count;
};
