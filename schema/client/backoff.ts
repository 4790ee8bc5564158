/** Each wait is multiplied by a random factor between the two, so that many clients do not retry at the same moment. */
export type Jitter = readonly [least: number, most: number];

/** Plus or minus 30 %. */
export const AROUND: Jitter = [0.7, 1.3];
/** The upper half: a doubled wait stays longer than the one before. */
const UPPER_HALF: Jitter = [0.5, 1];

export const jittered = (ms: number, [least, most]: Jitter = AROUND): number => ms * (least + Math.random() * (most - least));

export type Backoff = {
  /** The wait after the first failure, before jitter; each further failure doubles it. */
  baseMs: number;
  /** No wait is longer before jitter. */
  maxMs: number;
  jitter?: Jitter;
};

/** 2^30 exceeds every maximum and keeps the number finite. */
const MOST_DOUBLINGS = 30;

/**
 * How long to wait after the given number of failures in a row, starting with 1: exponential, with jitter, and never shorter than the
 * server asked for (`askedMs`), which the caller limits.
 */
export const backoffMs = (failures: number, { baseMs, maxMs, jitter = UPPER_HALF }: Backoff, askedMs = 0): number =>
  Math.max(jittered(Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, MOST_DOUBLINGS)), jitter), askedMs);
