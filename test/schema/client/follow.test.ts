import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ApiError } from '../../../schema/client/client.ts';
import type { Event } from '../../../schema/events.ts';
import { type FollowOptions, followTask } from '../../../schema/client/follow.ts';
import { until as waitFor } from '../../support/processes.ts';
import { soon } from '../../support/soon.ts';
import { eventOf, eventsOf, fakeLive, frameOf, QUICK, refusal, TASK_ID } from './support/fake-live.ts';

const NEVER = 1_000_000;
/** More than any test publishes. */
const MOST_EVENTS = 10_000;
const until = (what: string, check: () => boolean) => waitFor(what, check, 4_000);
type Live = ReturnType<typeof fakeLive>;

/** Follows the task of a fake for the running test; there are no timed polls unless the test sets them. */
const following = (live: Live, options: FollowOptions = {}) => {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const seen: number[] = [];
  const { client, WebSocket } = live;
  const given = {
    signal: stop.signal,
    pollMs: NEVER,
    quietMs: NEVER,
    gapMs: NEVER,
    WebSocket,
    ...options,
    clocks: { ...QUICK, ...options.clocks },
  };
  const follow = async () => {
    for await (const event of followTask(client, TASK_ID, given))
      if (seen.push(event.seq) > MOST_EVENTS) throw new Error('the follower gives events without end');
  };
  const following = follow();
  following.catch(() => {});
  /** Waits for the end. */
  const end = () => soon('the follower to end', following);
  return { seen, end, stop };
};
/** Time that advances only by the test. */
const stopClock = () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
};
const gapsOf = (times: readonly number[]) => times.slice(1).map((time, at) => time - (times[at] as number));
/** Each wait is the expected one plus or minus 30 %, rounded to whole milliseconds. */
const expectWaits = (waits: readonly number[], expected: readonly number[]) => {
  expect(waits.length).toBeGreaterThanOrEqual(expected.length);
  for (const [at, ms] of expected.entries()) {
    expect(waits[at]).toBeGreaterThanOrEqual(0.7 * ms - 1);
    expect(waits[at]).toBeLessThanOrEqual(1.3 * ms + 1);
  }
};
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);
const publish = (live: Live, ...events: Event[]) => {
  live.log.push(...events);
  live.say(frameOf(events));
};

describe('following a task', () => {
  it('reads earlier events, and ends at once without a socket when the task has ended', async () => {
    const live = fakeLive(...eventsOf(1_200), eventOf(1_201, 'task.completed'));

    const { seen, end } = following(live);
    await end();

    expect(seen).toEqual(upTo(1_201));
    expect(live.counts).toEqual({ polls: 3, tickets: 0 });
  });

  it('returns pushed events as they arrive, and polls once more at the end', async () => {
    const live = fakeLive(...eventsOf(2));
    const { seen, end } = following(live);
    await until('the socket', () => live.received.length > 0);

    for (const seq of [3, 4, 5]) publish(live, eventOf(seq));
    await until('them all', () => seen.length === 5);
    publish(live, eventOf(6, 'task.failed'));
    await end();

    expect(seen).toEqual(upTo(6));
    expect(live.counts).toEqual({ polls: 2, tickets: 1 });
    expect(live.received).toEqual([{ action: 'subscribe', topic: `task:${TASK_ID}`, after_seq: 2 }]);
    expect(live.isOpen()).toBe(false);
  });

  it('starts after a sequence number, also if that was the end or a retry followed it', async () => {
    const ended = fakeLive(...eventsOf(4), eventOf(5, 'task.failed'));
    const retried = fakeLive(...ended.log, eventOf(6, 'task.retried'), eventOf(7, 'task.completed'));

    const middle = following(ended, { afterSeq: 3 });
    const last = following(ended, { afterSeq: 5 });
    const after = following(retried, { afterSeq: 5 });
    const whole = following(retried);
    await Promise.all([middle, last, after, whole].map(({ end }) => end()));

    expect([middle.seen, last.seen, after.seen]).toEqual([[4, 5], [], [6, 7]]);
    expect(whole.seen).toEqual(upTo(7));
  });

  it('continues after the end of a task that was retried', async () => {
    const live = fakeLive(...eventsOf(2), eventOf(3, 'task.failed'), eventOf(4, 'task.retried'));
    const { seen, end } = following(live);
    await until('the socket', () => live.received.length > 0);

    publish(live, eventOf(5, 'task.completed'));
    await end();

    expect(seen).toEqual(upTo(5));
  });

  it('orders overtaken events and drops duplicates, without a poll', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live);
    await until('the socket', () => live.received.length > 0);

    for (const seq of [4, 3, 4, 1, 2, 5, 2]) live.say(frameOf([eventOf(seq)]));
    await until('them all', () => seen.length === 5);

    expect(seen).toEqual(upTo(5));
    expect(live.counts.polls).toBe(1);
  });

  it('reads by HTTP an event that did not arrive within gapMs', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live, { gapMs: 5 });
    await until('the socket', () => live.received.length > 0);

    live.log.push(eventOf(2), eventOf(3));
    live.say(frameOf([eventOf(3)]));
    live.say(frameOf([eventOf(1)]));
    await until('the lost one', () => seen.length === 3);

    expect(seen).toEqual(upTo(3));
  });

  it('reads by HTTP an event that is too large to be pushed', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live);
    await until('the socket', () => live.received.length > 0);

    live.log.push(eventOf(2), eventOf(3));
    live.say({ type: 'resync', topic: `task:${TASK_ID}`, after_seq: 1 });
    await until('it', () => seen.length === 3);

    expect(seen).toEqual(upTo(3));
  });

  it('learns of an event whose push was lost at the next beat', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live, { clocks: { beatMs: 5 } });
    await until('the socket', () => live.received.length > 0);

    live.log.push(eventOf(2));
    await until('it', () => seen.length === 2);

    expect(live.counts.polls).toBe(1);
  });

  it('reads by HTTP an event that was lost in a replay', async () => {
    const live = fakeLive(...eventsOf(1));
    live.edge.answer = () => [{ type: 'subscribed', topic: `task:${TASK_ID}`, last_seq: live.log.length }];
    live.edge.ticket = () => void live.log.push(eventOf(2));

    const { seen } = following(live, { gapMs: 5 });
    await until('it', () => seen.length === 2);

    expect(live.counts.polls).toBe(2);
  });

  it('reconnects with a new ticket after a loss, and continues where it stopped', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live);
    await until('the socket', () => live.received.length === 1);

    live.cut();
    live.log.push(eventOf(2));
    await until('it', () => seen.length === 2);

    expect(live.counts).toEqual({ polls: 1, tickets: 2 });
    expect(live.received.at(-1)).toMatchObject({ after_seq: 1 });
  });

  it.each([
    ['answers nothing', () => [], { answerMs: 20 }],
    ['refuses', () => [{ type: 'error' as const, code: 'unavailable', detail: 'no' }], {}],
  ])('gives up a socket that %s, and polls by HTTP meanwhile', async (_, answer, clocks) => {
    const live = fakeLive(...eventsOf(1));
    live.edge.answer = answer;
    const { seen } = following(live, { pollMs: 5, clocks });

    await until('a second socket', () => live.counts.tickets > 1);
    live.log.push(eventOf(2));
    await until('it', () => seen.length === 2);

    expect(live.received.length).toBeGreaterThan(1);
  });

  it('gives up a socket that does not open', async () => {
    const live = fakeLive(...eventsOf(1));
    live.edge.opens = false;
    const { seen } = following(live, { clocks: { openMs: 20 } });
    await until('a second socket', () => live.counts.tickets > 1);

    live.edge.opens = true;
    await until('one that opens', () => live.received.length > 0);
    publish(live, eventOf(2));
    await until('it', () => seen.length === 2);
  });

  it('polls again as soon as its socket is lost and no other opens', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live, { pollMs: 5 });
    const subscribed = () => live.received.length > 0 && live.isOpen();
    await until('the socket', subscribed);
    await tick();

    live.edge.opens = false;
    live.cut();
    live.log.push(eventOf(2));
    await until('it', () => seen.length === 2);
  });

  it('opens sockets at growing intervals while none of them works, and no sooner than the platform asks', async () => {
    stopClock();
    const clocks = { retryMs: 100, longestRetryMs: 1_000 };
    const refusing = fakeLive(...eventsOf(1));
    const asking = fakeLive(...eventsOf(1));
    const askedAt = new Map([refusing, asking].map((live) => [live, [] as number[]]));
    for (const [live, times] of askedAt) live.edge.ticket = () => void times.push(performance.now());
    refusing.edge.answer = () => [{ type: 'error', code: 'unavailable', detail: 'no' }];
    asking.edge.ticket = () => {
      askedAt.get(asking)?.push(performance.now());
      throw refusal('unavailable', 503, [900, 3_600_000][asking.counts.tickets - 1] ?? null);
    };

    for (const live of askedAt.keys()) following(live, { clocks });
    await vi.advanceTimersByTimeAsync(20_000);

    expectWaits(gapsOf(askedAt.get(refusing) ?? []), [200, 400, 800, 1_000, 1_000, 1_000]);
    const [first = 0, second = 0] = gapsOf(askedAt.get(asking) ?? []);
    expect(first).toBeGreaterThanOrEqual(899);
    expect(second).toBeLessThanOrEqual(1_301);
  });

  it('polls by HTTP when a live socket is silent for long, since its subscription may be lost', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live, { quietMs: 5, clocks: { beatMs: NEVER } });
    await until('the socket', () => live.received.length > 0);

    live.log.push(eventOf(2));
    await until('it', () => seen.length === 2);

    expect(live.counts.tickets).toBe(1);
    expect(live.received).toHaveLength(1);
  });

  it('gives up a live socket that becomes silent', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live, { clocks: { answerMs: 20, beatMs: 5 } });
    await until('the socket', () => live.received.length > 0);

    const answer = live.edge.answer;
    live.edge.answer = () => [];
    await until('another', () => live.counts.tickets > 1);
    live.edge.answer = answer;
    live.log.push(eventOf(2));
    await until('it', () => seen.length === 2);
  });

  it('ignores unknown frames', async () => {
    const live = fakeLive(...eventsOf(1));
    const { seen } = following(live);
    await until('the socket', () => live.received.length > 0);

    for (const frame of ['', 'null', '{"type":"later"}', '{"message":"Internal server error"}', '{"type":"events","events":1}'])
      live.say(frame);
    publish(live, eventOf(2));
    await until('the known one', () => seen.length === 2);

    expect(live.counts.tickets).toBe(1);
  });

  it.each([
    ['no push', {}],
    ['no WebSocket', { WebSocket: null }],
  ])('polls repeatedly if there is %s', async (_, options) => {
    const live = fakeLive(...eventsOf(1));
    live.edge.ticket = () => {
      throw refusal('unavailable', 503);
    };
    const { seen, end } = following(live, { pollMs: 5, ...options });
    await until('the first', () => seen.length === 1);

    live.log.push(eventOf(2), eventOf(3, 'task.cancelled'));
    await end();

    expect(seen).toEqual(upTo(3));
    expect(live.received).toEqual([]);
  });

  it('uses push again when it is available again', async () => {
    const live = fakeLive(...eventsOf(1));
    let isUnavailable = true;
    live.edge.ticket = () => {
      if (isUnavailable) throw refusal('unavailable', 503);
    };
    const { seen } = following(live);
    await until('some tries', () => live.counts.tickets > 2);

    isUnavailable = false;
    await until('the socket', () => live.received.length > 0);
    publish(live, eventOf(2));
    await until('it', () => seen.length === 2);
  });

  it('survives polls that fail with a transient error, and reports each', async () => {
    const live = fakeLive(...eventsOf(1), eventOf(2, 'task.completed'));
    const failures = [refusal('unavailable', 503), refusal('unreachable', 0)];
    live.edge.poll = () => {
      const failure = failures.shift();
      if (failure) throw failure;
    };
    const reports: [string, number][] = [];

    const { seen, end } = following(live, { onUnavailable: (error, tries) => void reports.push([error.code, tries]) });
    await end();

    expect(seen).toEqual([1, 2]);
    expect(reports).toEqual([
      ['unavailable', 1],
      ['unreachable', 2],
    ]);
  });

  it('waits longer after each failed poll, 10 s at most, and starts over after one that succeeds', async () => {
    stopClock();
    const live = fakeLive(...eventsOf(1));
    const polledAt: number[] = [];
    live.edge.poll = () => {
      polledAt.push(performance.now());
      if (polledAt.length !== 9) throw refusal('unavailable', 503);
    };
    const tries: number[] = [];

    following(live, { WebSocket: null, pollMs: 1_000, onUnavailable: (_, count) => void tries.push(count) });
    await vi.advanceTimersByTimeAsync(90_000);

    expectWaits(gapsOf(polledAt), [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 1_000, 250, 500]);
    expect(tries.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 1, 2]);
  });

  it('polls no sooner than the platform asks, but after at most 10 s', async () => {
    stopClock();
    const live = fakeLive(...eventsOf(1));
    const polledAt: number[] = [];
    live.edge.poll = () => {
      polledAt.push(performance.now());
      throw refusal('unavailable', 503, polledAt.length === 1 ? 5_000 : 3_600_000);
    };

    following(live, { WebSocket: null });
    await vi.advanceTimersByTimeAsync(30_000);

    const [first = 0, second = 0] = gapsOf(polledAt);
    expect(first).toBeGreaterThanOrEqual(4_999);
    expect(second).toBeGreaterThanOrEqual(9_999);
    expect(second).toBeLessThanOrEqual(10_001);
  });

  it('throws what the API refuses, and what onUnavailable throws', async () => {
    const gone = fakeLive();
    gone.edge.poll = () => {
      throw refusal('task_not_found', 404);
    };
    const away = fakeLive();
    away.edge.poll = () => {
      throw refusal('unreachable', 0);
    };
    const onUnavailable = () => {
      throw new Error('long enough');
    };

    await expect(following(gone).end()).rejects.toThrow(ApiError);
    await expect(following(away, { onUnavailable }).end()).rejects.toThrow('long enough');
  });

  it('ends without an error when its signal aborts, and closes the socket', async () => {
    const live = fakeLive(...eventsOf(1));
    const { end, stop } = following(live);
    await until('the socket', () => live.isOpen());

    stop.abort();
    await end();

    expect(live.isOpen()).toBe(false);
    await following(live, { signal: AbortSignal.abort() }).end();
  });

  it('closes the socket when the caller has seen enough', async () => {
    const live = fakeLive(...eventsOf(1));
    const pushed = until('the socket', () => live.isOpen()).then(() => publish(live, eventOf(2)));

    const events = followTask(live.client, TASK_ID, { WebSocket: live.WebSocket, clocks: QUICK });
    const watch = async () => {
      for await (const event of events) if (event.seq === 2) break;
    };
    await soon('the second event', watch());
    await pushed;

    expect(live.isOpen()).toBe(false);
  });

  it('keeps few events while its caller is slow, and reads the rest later', async () => {
    const live = fakeLive(...eventsOf(1));
    const events = followTask(live.client, TASK_ID, { WebSocket: live.WebSocket, pollMs: NEVER, gapMs: 1, clocks: QUICK });
    onTestFinished(() => events.return().then(() => {}));
    expect((await soon('the first', events.next())).value?.seq).toBe(1);
    const second = events.next();
    await until('the socket', () => live.received.length > 0);

    for (let seq = 2; seq <= 3_000; seq++) publish(live, eventOf(seq));
    const seen = [(await soon('the second', second)).value?.seq];
    while (seen.length < 2_999) seen.push((await soon('the next', events.next())).value?.seq);

    expect(seen).toEqual(upTo(3_000).slice(1));
    expect(live.counts.polls).toBeGreaterThan(4);
  });

  it('returns every event once and in order, whatever is lost, duplicated, overtaken or cut', async () => {
    const step = fc.record({
      events: fc.integer({ min: 0, max: 4 }),
      fate: fc.constantFrom('push', 'lose', 'double', 'hold'),
      edge: fc.constantFrom('', '', 'cut', 'release', 'no look', 'no ticket'),
      ticks: fc.integer({ min: 0, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const live = fakeLive();
        const held: Event[] = [];
        let failing = '';
        live.edge.poll = () => {
          if (failing === 'no look') throw refusal('unavailable', 503);
        };
        live.edge.ticket = () => {
          if (failing === 'no ticket') throw refusal('unavailable', 503);
        };
        const { seen, end } = following(live, { gapMs: 1, pollMs: 5, clocks: { beatMs: 10 } });

        for (const { events, fate, edge, ticks } of steps) {
          failing = edge;
          const fresh = Array.from({ length: events }, (_, at) => eventOf(live.log.length + at + 1));
          live.log.push(...fresh);
          if (fate === 'hold') held.unshift(...fresh);
          if (fate === 'push' || fate === 'double') live.say(frameOf(fresh));
          if (fate === 'double') live.say(frameOf(fresh));
          if (edge === 'release') for (const event of held.splice(0)) live.say(frameOf([event]));
          if (edge === 'cut') live.cut();
          for (let left = ticks; left > 0; left--) await tick();
        }
        failing = '';
        live.log.push(eventOf(live.log.length + 1, 'task.completed'));
        await end();

        expect(seen).toEqual(upTo(live.log.length));
      }),
      // If a failure takes long, no smaller example is searched.
      { numRuns: 150, interruptAfterTimeLimit: 4_500 },
    );
  });
});
