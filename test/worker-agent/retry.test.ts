import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../schema/client.ts';
import { ERRORS, type ErrorCode } from '../../schema/errors.ts';
import { backoffMs, classify, retrying } from '../../worker-agent/src/retry.ts';
import { Slots } from '../../worker-agent/src/slots.ts';

const error = (code: string, status: number, retryAfterMs: number | null = null) =>
  new ApiError({ type: '', title: '', status, detail: code, code, errors: [], request_id: '' }, { retryAfterMs });
const known = (code: ErrorCode) => error(code, ERRORS[code][0]);

describe('an error of the platform', () => {
  it.each([
    ['retryable', [error('unreachable', 0), error('http_502', 502), known('unavailable'), known('internal'), known('too_many')]],
    ['lease_lost', [known('lease_lost'), known('attempt_ended'), known('subtask_not_found'), known('task_ended')]],
    ['revoked', [known('worker_revoked'), known('unauthenticated'), known('worker_not_found'), known('forbidden')]],
    ['refused', [known('invalid_request'), known('body_too_large'), known('artifact_mismatch'), new Error('a bug')]],
  ] as const)('is %s for the worker by its code', (verdict, errors) => {
    expect(errors.map(classify)).toEqual(errors.map(() => verdict));
  });
});

describe('retrying', () => {
  it('repeats what is retryable until it is answered', async () => {
    let calls = 0;
    const answer = await retrying(
      async () => {
        if (++calls < 4) throw error('unreachable', 0);
        return calls;
      },
      { baseMs: 1, maxMs: 2 },
    );
    expect(answer).toBe(4);
  });

  it('has an end', async () => {
    let calls = 0;
    const call = async () => {
      calls++;
      throw error('unreachable', 0);
    };
    await expect(retrying(call, { baseMs: 1, maxMs: 1, again: (tries) => tries < 3 })).rejects.toMatchObject({ code: 'unreachable' });
    expect(calls).toBe(3);
  });

  it('does not repeat what would be refused again', async () => {
    let calls = 0;
    const call = async () => {
      calls++;
      throw known('lease_lost');
    };
    await expect(retrying(call)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(calls).toBe(1);
  });

  it('ends its wait when it is aborted', async () => {
    const abort = new AbortController();
    const call = async () => {
      queueMicrotask(() => abort.abort());
      throw error('unreachable', 0);
    };
    await expect(retrying(call, { signal: abort.signal, baseMs: 60_000, maxMs: 60_000 })).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('waits longer each time, within bounds, and no shorter than the server asks', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 5_000 }), (tries, asked) => {
        const wait = backoffMs(tries, 100, 10_000, asked);
        expect(wait).toBeLessThanOrEqual(10_000);
        expect(wait).toBeGreaterThanOrEqual(Math.max(asked, Math.min(10_000, 100 * 2 ** (tries - 1)) / 2));
      }),
    );
  });
});

describe('slots', () => {
  it('are never given out twice, whatever is reserved and released', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.integer({ min: 0, max: 20 })), (capacity, wishes) => {
        const slots = new Slots(capacity, () => {});
        const held: number[] = [];
        for (const wish of wishes) {
          const taken = slots.reserve(wish);
          held.push(taken);
          expect(taken).toBeLessThanOrEqual(wish);
          expect(held.reduce((sum, it) => sum + it, 0) + slots.free).toBe(capacity);
          expect(slots.free).toBeGreaterThanOrEqual(0);
          if (wish % 2) slots.release(held.pop() ?? 0);
        }
      }),
    );
  });
});
