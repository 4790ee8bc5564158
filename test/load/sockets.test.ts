import { setInterval as ticks } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { openFollowers } from './support/follower.ts';
import { standaloneForLoad, startSubtasks } from './support/standalone.ts';

const SOCKETS = 500;
const SUBTASKS = 200;
const EVENTS_A_SECOND = 50;

const STALLED = 20;
/** The buffers of 20 sockets take 20 MB; the events that these sockets request take half a gigabyte. */
const MOST_MB = 200;

const subtasks = Array.from({ length: SUBTASKS }, (_, at) => ({ key: `k${at}`, goal: `${at}` }));

/** Starts the calls one after another at a fixed rate, without waiting for earlier ones to finish. */
const atRate = async (aSecond: number, calls: readonly (() => Promise<unknown>)[]) => {
  const waiting = calls.values();
  const asked: Promise<unknown>[] = [];
  for await (const _ of ticks(1_000 / aSecond)) {
    const { value, done } = waiting.next();
    if (done) break;
    asked.push(value());
  }
  await Promise.all(asked);
};

describe('sockets', () => {
  it('deliver all events in order and once to 500 clients of one task with 50 events per second', async () => {
    const standalone = await standaloneForLoad();
    const { task_id } = await standalone.client.submitTask({ body: { goal: 'many', subtasks } });
    const completions = await startSubtasks(standalone, SUBTASKS);
    const followers = await openFollowers(standalone.client, task_id, SOCKETS);
    const started = performance.now();

    await atRate(EVENTS_A_SECOND, completions);
    const asked = performance.now();
    const { last_seq } = await standalone.client.listEvents({ params: { task_id } });
    await until('every client to have seen every event', () => followers.every((follower) => follower.seen.length >= last_seq));

    const [during, after] = [asked - started, performance.now() - asked].map(Math.round);
    console.info(`${SUBTASKS} events to ${SOCKETS} sockets: sent in ${during} ms, seen by all ${after} ms later`);
    const all = Array.from({ length: last_seq }, (_, at) => at + 1);
    for (const follower of followers) expect(follower.seen).toEqual(all);
    expect(standalone.logged).toEqual([]);
  });

  it('that are no longer read are closed and use bounded memory, and their clients catch up', async () => {
    const standalone = await standaloneForLoad();
    const { task_id } = await standalone.client.submitTask({ body: { goal: 'many', subtasks } });
    await Promise.all((await startSubtasks(standalone, SUBTASKS)).map((complete) => complete()));
    const { last_seq } = await standalone.client.listEvents({ params: { task_id } });
    const [reader, ...followers] = await openFollowers(standalone.client, task_id, 1 + STALLED);
    const before = process.memoryUsage().rss;
    let most = before;

    for (const follower of followers) follower.socket.pause();
    await until('the sockets that are not read to be closed', () => {
      for (const follower of followers.filter((it) => it.isOpen())) follower.subscribe();
      most = Math.max(most, process.memoryUsage().rss);
      return followers.every((follower) => !follower.isOpen());
    });
    const again = await openFollowers(standalone.client, task_id, STALLED);

    const grown = Math.round((most - before) / 1_000_000);
    console.info(`${STALLED} sockets that are not read: at most ${grown} MB more`);
    expect(grown).toBeLessThan(MOST_MB);
    expect(reader?.isOpen()).toBe(true);
    for (const follower of again) expect(follower.seen).toHaveLength(last_seq);
    expect(standalone.logged).toEqual([]);
  });
});
