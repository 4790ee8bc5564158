import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../../schema/client/backoff.ts';
import { ApiError } from '../../../schema/client/client.ts';
import { ERRORS, type ErrorCode } from '../../../schema/errors.ts';
import { askedMs, classify, forAtMost, LeaseLost, retrying, Unconfirmed } from '../../../worker-agent/src/api/retry.ts';
import { Slots } from '../../../worker-agent/src/agent/slots.ts';

const error = (code: string, status: number, retryAfterMs: number | null = null) =>
  new ApiError({ type: '', title: '', status, detail: code, code, errors: [], request_id: '' }, { retryAfterMs });
const known = (code: ErrorCode) => error(code, ERRORS[code][0]);

const VERDICTS = {
  retryable: ['too_many', 'internal', 'unavailable'],
  lease_lost: ['lease_lost', 'attempt_ended', 'subtask_not_found', 'task_not_found', 'task_ended'],
  revoked: ['unauthenticated', 'worker_revoked', 'worker_not_found', 'enrolment_refused', 'forbidden'],
} as const;

describe('an error of the platform', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('is classified by its code %s', (code) => {
    const [verdict] = Object.entries(VERDICTS).find(([, codes]) => (codes as readonly string[]).includes(code)) ?? ['refused'];

    expect(classify(known(code))).toBe(verdict);
  });

  it.each([
    [0, 'retryable'],
    [400, 'refused'],
    [401, 'revoked'],
    [403, 'refused'],
    [404, 'refused'],
    [408, 'retryable'],
    [409, 'lease_lost'],
    [410, 'lease_lost'],
    [413, 'refused'],
    [429, 'retryable'],
    [500, 'retryable'],
    [502, 'retryable'],
    [503, 'retryable'],
    [504, 'retryable'],
    [511, 'retryable'],
  ] as const)('is classed by its status when it has a code that is not known and that is %d', (status, verdict) => {
    expect(classify(error('something_new', status))).toBe(verdict);
  });

  it.each([301, 302, 308, 400, 401, 403, 404, 409, 410, 413, 418])(
    'is of somebody on the way when it has no code: %d may pass',
    (status) => {
      const isRedirect = status < 400;

      expect(classify(error(isRedirect ? 'redirected' : `http_${status}`, status))).toBe('retryable');
    },
  );

  it('is retryable only if the same request may succeed later, whatever its code', () => {
    const codes = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'toString', 'http_x'));
    fc.assert(
      fc.property(codes, fc.integer({ min: 100, max: 599 }), (code, status) => {
        fc.pre(!Object.hasOwn(ERRORS, code) && code !== 'invalid_answer');
        const isRetried = [408, 429].includes(status) || status >= 500;
        expect(classify(error(code, status)) === 'retryable').toBe(isRetried);
      }),
    );
  });

  it('is refused if it is not from the platform: a bug is not repeated', () => {
    expect([new Error('a bug'), null, undefined, 'text'].map(classify)).toEqual(['refused', 'refused', 'refused', 'refused']);
  });

  it('concerns the lease when it is not confirmed, or when the server reported that it is lost', () => {
    expect([new Unconfirmed(), new LeaseLost()].map(classify)).toEqual(['retryable', 'lease_lost']);
  });
});

describe('retrying', () => {
  it('repeats a retryable call until it is answered', async () => {
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

  it('ends after the allowed time', async () => {
    let calls = 0;
    const call = async () => {
      calls++;
      throw error('unreachable', 0);
    };
    await expect(retrying(call, { baseMs: 1, maxMs: 1, again: (tries) => tries < 3 })).rejects.toMatchObject({ code: 'unreachable' });
    expect(calls).toBe(3);
  });

  it('ends at once if the server asks for a longer wait than the time left', async () => {
    let calls = 0;
    const call = async () => {
      calls++;
      throw error('unavailable', 503, 60_000);
    };
    await expect(retrying(call, { again: forAtMost(1_000) })).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toBe(1);
  });

  it('does not repeat a call that would be refused again', async () => {
    let calls = 0;
    const call = async () => {
      calls++;
      throw known('lease_lost');
    };
    await expect(retrying(call)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(calls).toBe(1);
  });

  it('ends its wait when it is aborted, and does not call again', async () => {
    const abort = new AbortController();
    let calls = 0;
    const call = async () => {
      calls++;
      throw error('unreachable', 0);
    };
    const onRetry = () => queueMicrotask(() => abort.abort());
    await expect(retrying(call, { signal: abort.signal, onRetry, baseMs: 60_000, maxMs: 60_000 })).rejects.toMatchObject({
      code: 'unreachable',
    });
    expect(calls).toBe(1);
  });

  it('waits longer each time, up to a limit, and at least as long as the server asks', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 600_000 }), (tries, asked) => {
        const heeded = Math.min(asked, 300_000);
        const wait = backoffMs(tries, { baseMs: 100, maxMs: 10_000 }, askedMs(error('unavailable', 503, asked)));
        expect(wait).toBeLessThanOrEqual(Math.max(10_000, heeded));
        expect(wait).toBeGreaterThanOrEqual(Math.max(heeded, Math.min(10_000, 100 * 2 ** (tries - 1)) / 2));
      }),
    );
  });
});

describe('slots', () => {
  it('are never reserved twice, whatever is reserved and released', () => {
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
