import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Client } from '../../schema/client/client.ts';
import type { Event } from '../../schema/events.ts';
import { type FollowOptions, followTask } from '../../schema/client/follow.ts';
import { until } from '../support/processes.ts';
import { DEAD_REDIS, NO_REDIS } from '../support/redis-kind.ts';
import { adapterThat } from '../support/adapter.ts';
import { standaloneForTest } from './support/standalone.ts';

const NEVER = 1_000_000;

/** A task whose subtasks each depend on the one before. */
const chain = (count: number) => ({
  goal: 'many steps',
  subtasks: Array.from({ length: count }, (_, at) => ({
    key: `k${at}`,
    goal: `step ${at}`,
    ...(at > 0 ? { dependencies: [`k${at - 1}`] } : {}),
  })),
});

/** How far a follower may lag behind the events that the platform has recorded. */
const LAG_MS = 5_000;
const ENDS: readonly (string | undefined)[] = ['task.completed', 'task.failed', 'task.cancelled'];

/** Returns a check that throws when the follower has seen nothing new for too long although there are more events. */
const lagCheck = (client: Client, taskId: string, seen: readonly Event[]) => {
  let count = 0;
  let currentAt = performance.now();
  return async () => {
    const query = { after_seq: seen.at(-1)?.seq ?? 0, limit: 1 };
    const more = await client.listEvents({ params: { task_id: taskId }, query }).catch(() => null); // it may be restarting
    const isBehind = more !== null && (more.items.length > 0 || ENDS.includes(seen.at(-1)?.type));
    if (!isBehind || seen.length > count) currentAt = performance.now();
    count = seen.length;
    const lag = performance.now() - currentAt;
    if (lag > LAG_MS)
      throw new Error(`the follower has seen ${count} events and no more for ${LAG_MS} ms; the platform has ${more?.last_seq}`);
  };
};

const collect = (client: Client, taskId: string, options: FollowOptions = {}) => {
  const seen: Event[] = [];
  const polls: unknown[] = [];
  const tickets: string[] = [];
  const counting: Pick<Client, 'listEvents' | 'createTicket'> = {
    listEvents: (...args) => {
      polls.push(args);
      return client.listEvents(...args);
    },
    createTicket: async (...args) => {
      const ticket = await client.createTicket(...args);
      tickets.push(ticket.url);
      return ticket;
    },
  };
  const done = (async () => {
    for await (const event of followTask(counting, taskId, options)) seen.push(event);
  })();
  done.catch(() => {});
  const check = lagCheck(client, taskId, seen);
  /** Waits for a condition, and throws when the follower falls behind. */
  const reach = (what: string, condition: () => boolean) =>
    until(what, async () => {
      await check();
      return condition();
    });
  const end = async () => {
    let isOver = false;
    const over = done.finally(() => (isOver = true));
    over.catch(() => {});
    await reach('the follower to end', () => isOver);
    await over;
  };
  return { seen, polls, tickets, reach, end };
};

const logOf = async (client: Client, taskId: string): Promise<Event[]> =>
  (await client.listEvents({ params: { task_id: taskId }, query: { limit: 1000 } })).items;

/** A test that needs push. */
const pushed = it.skipIf(NO_REDIS);

describe('following a task of the platform', { timeout: 240_000 }, () => {
  pushed('yields every event once and in order while its connection is cut 50 times at random', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '20' });
    const { task_id } = await standalone.client.submitTask({ body: chain(60) });
    const { seen, tickets, reach, end } = collect(standalone.client, task_id, {
      pollMs: NEVER,
      clocks: { retryMs: 5, longestRetryMs: 20 },
    });

    let cuts = 0;
    const cutting = adapterThat(async () => {
      for (let ticks = Math.random() * 200; ticks > 0; ticks--) await tick();
      if (cuts++ < 50) standalone.proxy.cut();
      const runs = cuts;
      const started = () => seen.filter((event) => event.type === 'subtask.started').length;
      if (Math.random() < 0.5) await reach('the follower to be connected again', () => started() >= runs);
    });
    await standalone.addWorker({ tools: [cutting] });
    await end();

    expect(cuts).toBe(60);
    expect(tickets.length).toBeGreaterThan(10);
    expect(seen).toEqual(await logOf(standalone.client, task_id));
    expect(seen.map((event) => event.seq)).toEqual(seen.map((_, at) => at + 1));
    expect(seen.at(-1)?.type).toBe('task.completed');
  });

  pushed('is pushed what happens, and polls only at the start and at the end', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '20' });
    const { task_id } = await standalone.client.submitTask({ body: chain(3) });
    const { seen, polls, tickets, end } = collect(standalone.client, task_id, { pollMs: NEVER, quietMs: NEVER, gapMs: NEVER });
    await until('the socket', () => tickets.length === 1, LAG_MS);

    await standalone.addWorker();
    await end();

    expect(polls).toHaveLength(2);
    expect(seen).toEqual(await logOf(standalone.client, task_id));
  });

  pushed('replaces a silent connection, and misses nothing', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '20' });
    let isFree = false;
    const { events } = await standalone.addWorker({ tools: [adapterThat(() => until('the test to continue', () => isFree))] });
    await until('the socket of the worker', () => events.includes('push.began'));
    const { task_id } = await standalone.client.submitTask({ body: chain(3) });
    const { seen, tickets, reach, end } = collect(standalone.client, task_id, { pollMs: NEVER, clocks: { beatMs: 100, answerMs: 200 } });
    await reach('the work to be seen', () => seen.some((event) => event.type === 'subtask.started'));

    // A socket that was replaced meanwhile counts as well.
    await until('both sockets', () => standalone.proxy.silence('GET /ws?') >= 2, LAG_MS);
    isFree = true;
    await end();

    expect(tickets.length).toBeGreaterThan(1);
    expect(seen).toEqual(await logOf(standalone.client, task_id));
  });

  it('polls where there is no push', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '20', REDIS_URL: DEAD_REDIS });
    const { task_id } = await standalone.client.submitTask({ body: chain(3) });
    const { seen, tickets, end } = collect(standalone.client, task_id, { pollMs: 50 });

    await standalone.addWorker();
    await end();

    expect(tickets).toEqual([]);
    expect(seen).toEqual(await logOf(standalone.client, task_id));
  });

  pushed('continues after the server was restarted', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '20' });
    let isFree = false;
    await standalone.addWorker({ tools: [adapterThat(() => until('the test to continue', () => isFree))] });
    const { task_id } = await standalone.client.submitTask({ body: chain(2) });
    const { seen, tickets, reach, end } = collect(standalone.client, task_id, {
      pollMs: NEVER,
      clocks: { retryMs: 50, longestRetryMs: 500 },
    });
    await reach('the work to be seen', () => seen.some((event) => event.type === 'subtask.started'));

    await standalone.restart();
    isFree = true;
    await end();

    expect(tickets.length).toBeGreaterThan(1);
    expect(seen).toEqual(await logOf(standalone.client, task_id));
  });
});
