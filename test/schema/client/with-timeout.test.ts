import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { TimedOut, withTimeout } from '../../../schema/client/with-timeout.ts';

const fakeTime = () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
};
const never = () => new Promise<never>(() => {});
/** Work that takes `ms`, and then returns or throws. */
const after = <T>(ms: number, end: () => T) => new Promise<T>((resolve) => setTimeout(resolve, ms)).then(end);
const outcomeOf = (promise: Promise<unknown>) =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );

describe('work with a timeout', () => {
  it('ends with its own outcome or with that of the timeout, whichever comes first', async () => {
    fakeTime();
    const isSuccess = fc.boolean();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        isSuccess,
        async (limitMs, workMs, succeeds) => {
          fc.pre(limitMs !== workMs);
          const own = new Error('of the work');
          const work = () =>
            after(workMs, () => {
              if (!succeeds) throw own;
              return 'done';
            });

          const outcome = outcomeOf(withTimeout(limitMs, work));
          await vi.advanceTimersByTimeAsync(2_000);

          const expected = succeeds ? { value: 'done' } : { error: own };
          expect(await outcome).toEqual(workMs < limitMs ? expected : { error: new TimedOut(limitMs) });
          expect(vi.getTimerCount()).toBe(0);
        },
      ),
    );
  });

  it('gets a signal that aborts with the reason when the time is over', async () => {
    let seen: AbortSignal | undefined;
    const work = (signal: AbortSignal) => {
      seen = signal;
      return never();
    };

    await expect(withTimeout(5, work)).rejects.toThrow(new TimedOut(5));

    expect(seen?.reason).toBeInstanceOf(TimedOut);
  });

  it('that throws when it is aborted still counts as timed out', async () => {
    const work = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }));

    await expect(withTimeout(5, work)).rejects.toBeInstanceOf(TimedOut);
  });

  it('has the outcome that its caller decides on when the time is over', async () => {
    expect(await withTimeout(5, never, { onTimeout: () => 'late' })).toBe('late');
  });

  it('is not taken for late when it throws a timeout of its own, or when the caller has one', async () => {
    const inner = new TimedOut(1);
    const caller = new AbortController();
    const onTimeout = () => 'late';

    expect(await outcomeOf(withTimeout(60_000, () => Promise.reject(inner), { onTimeout }))).toEqual({ error: inner });
    const outer = outcomeOf(withTimeout(60_000, never, { onTimeout, signal: caller.signal }));
    caller.abort(inner);
    expect(await outer).toEqual({ error: inner });
  });

  it('ends with the reason of its caller, and is not begun after an abort', async () => {
    const caller = new AbortController();
    const reason = new Error('the caller has left');
    const outcome = outcomeOf(withTimeout(60_000, never, { signal: caller.signal }));
    const late = vi.fn(never);

    caller.abort(reason);

    expect(await outcome).toEqual({ error: reason });
    expect(await outcomeOf(withTimeout(60_000, late, { signal: caller.signal }))).toEqual({ error: reason });
    expect(late).not.toHaveBeenCalled();
  });

  it('leaves no timer and no listener behind, however it ends', async () => {
    fakeTime();
    const { signal } = new AbortController();
    const left = () => [vi.getTimerCount(), getEventListeners(signal, 'abort').length];
    const ends = [() => Promise.resolve(), () => Promise.reject(new Error('it fails'))];

    await Promise.all(ends.map((work) => outcomeOf(withTimeout(100, work, { signal }))));
    expect(left()).toEqual([0, 0]);

    const outcome = outcomeOf(withTimeout(100, never, { signal }));
    expect(left()).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(100);
    await outcome;
    expect(left()).toEqual([0, 0]);
  });
});
