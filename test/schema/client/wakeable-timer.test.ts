import { getEventListeners } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WakeableTimer } from '../../../schema/client/wakeable-timer.ts';

const DAY_MS = 86_400_000;

/** Whether a wait has ended. */
const watch = (wait: Promise<void>) => {
  const state = { hasEnded: false };
  void wait.then(() => (state.hasEnded = true));
  return state;
};

describe('a wakeable timer', () => {
  it('ends its wait after its time, and not before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const wait = watch(new WakeableTimer().wait(1_000));

    await vi.advanceTimersByTimeAsync(999);
    expect(wait.hasEnded).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(wait.hasEnded).toBe(true);
  });

  it('ends its wait at once when it is woken, and only that one', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const timer = new WakeableTimer();
    const first = watch(timer.wait(DAY_MS));

    timer.wake();
    await vi.advanceTimersByTimeAsync(0);
    const second = watch(timer.wait(DAY_MS));
    await vi.advanceTimersByTimeAsync(1_000);

    expect([first.hasEnded, second.hasEnded]).toEqual([true, false]);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('ends its wait when the signal aborts, and does not begin one afterwards', async () => {
    const stop = new AbortController();
    const wait = new WakeableTimer().wait(DAY_MS, stop.signal);

    stop.abort();

    await wait;
    await new WakeableTimer().wait(DAY_MS, stop.signal);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it.each([-1, Number.MAX_SAFE_INTEGER])('takes %d ms for the nearest wait that a timer can have', async (ms) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const wait = watch(new WakeableTimer().wait(ms));

    await vi.advanceTimersByTimeAsync(1);

    expect(wait.hasEnded).toBe(ms < 0);
  });
});
