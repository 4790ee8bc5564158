import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backoff, backoffMs, jittered } from '../../../schema/client/backoff.ts';

const factor = fc.double({ min: 0, max: 2, noNaN: true });
const jitters = fc.tuple(factor, factor).map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const);
const backoffs: fc.Arbitrary<Backoff> = fc.record({
  baseMs: fc.integer({ min: 1, max: 10_000 }),
  maxMs: fc.integer({ min: 1, max: 600_000 }),
  jitter: jitters,
});
/** Products of fractions differ in their last digits. */
const TOLERANCE = 1e-6;
const spread = (waits: number[]) => Math.max(...waits) - Math.min(...waits);

describe('a backoff', () => {
  it('doubles with each failure up to its maximum, within its jitter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), backoffs, (failures, backoff) => {
        const { baseMs, maxMs, jitter: [least, most] = [1, 1] } = backoff;
        const middle = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));

        const wait = backoffMs(failures, backoff);

        expect(wait).toBeGreaterThanOrEqual(middle * least - TOLERANCE);
        expect(wait).toBeLessThanOrEqual(middle * most + TOLERANCE);
      }),
    );
  });

  it('is never shorter than the server asks, and no longer for that where its own wait is longer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), backoffs, fc.integer({ min: 0, max: 600_000 }), (failures, backoff, askedMs) => {
        const exact = { ...backoff, jitter: [1, 1] } as const;

        expect(backoffMs(failures, exact, askedMs)).toBe(Math.max(askedMs, backoffMs(failures, exact)));
      }),
    );
  });

  it('stays between half and the whole of the doubled wait where no jitter is given', () => {
    const waits = Array.from({ length: 1_000 }, () => backoffMs(3, { baseMs: 100, maxMs: 1_000 }));

    expect(Math.min(...waits)).toBeGreaterThanOrEqual(200);
    expect(Math.max(...waits)).toBeLessThanOrEqual(400);
    expect(spread(waits)).toBeGreaterThan(100);
  });
});

describe('jitter', () => {
  it('moves a wait by at most 30 % where no range is given', () => {
    const waits = Array.from({ length: 1_000 }, () => jittered(1_000));

    expect(Math.min(...waits)).toBeGreaterThanOrEqual(700);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1_300);
    expect(spread(waits)).toBeGreaterThan(300);
  });
});
