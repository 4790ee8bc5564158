/** Pseudo-random numbers from 0 to 1, reproducible by seed (mulberry32). CHAOS_SEED sets the default seed. */
export const seededRandom = (seed = Number(process.env.CHAOS_SEED ?? 1)) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};
export type Random = ReturnType<typeof seededRandom>;
