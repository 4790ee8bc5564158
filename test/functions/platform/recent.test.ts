import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createRecent } from '../../../functions/platform/recent.ts';

const stopClock = () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  return (ms: number) => void vi.advanceTimersByTime(ms);
};

describe('a recent value', () => {
  it('expires after its time, even if it was read meanwhile', () => {
    const pass = stopClock();
    const recent = createRecent<number>({ most: 10, ms: 1_000 });
    recent.set('a', 1);

    pass(999);
    expect(recent.get('a')).toBe(1);
    pass(1);

    expect(recent.get('a')).toBeUndefined();
  });

  it('is evicted when the cache is full, the oldest first; a repeated key takes one place', () => {
    stopClock();
    const recent = createRecent<number>({ most: 2, ms: 1_000 });
    recent.set('a', 1);
    recent.set('b', 2);
    recent.set('b', 3);
    expect(recent.get('a')).toBe(1);
    recent.set('a', 5);
    expect([recent.get('a'), recent.get('b')]).toEqual([5, 3]);

    recent.set('c', 4);

    expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([5, undefined, 4]);
  });
});
