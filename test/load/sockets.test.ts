import { setInterval as ticks } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { openFans } from './support/fan.ts';
import { beginWork, homeForLoad } from './support/home.ts';

const SOCKETS = 500;
const SUBTASKS = 200;
const EVENTS_A_SECOND = 50;

const STALLED = 20;
/** The buffers of 20 sockets are 20 MB; what they ask for is half a gigabyte. */
const MOST_MB = 200;

const subtasks = Array.from({ length: SUBTASKS }, (_, at) => ({ key: `k${at}`, goal: `${at}` }));

/** Calls each in turn, at its time, whether or not those before have been answered. */
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
  it('of 500 clients of one task with 50 events a second bring each of them all, in order and once', async () => {
    const home = await homeForLoad();
    const { task_id } = await home.client.submitTask({ body: { goal: 'many', subtasks } });
    const completions = await beginWork(home, SUBTASKS);
    const fans = await openFans(home.client, task_id, SOCKETS);
    const started = performance.now();

    await atRate(EVENTS_A_SECOND, completions);
    const asked = performance.now();
    const { last_seq } = await home.client.listEvents({ params: { task_id } });
    await until('all to have seen all', () => fans.every((fan) => fan.seen.length >= last_seq));

    const [during, after] = [asked - started, performance.now() - asked].map(Math.round);
    console.info(`${SUBTASKS} events to ${SOCKETS} sockets: sent in ${during} ms, seen by all ${after} ms later`);
    const all = Array.from({ length: last_seq }, (_, at) => at + 1);
    for (const fan of fans) expect(fan.seen).toEqual(all);
    expect(home.logged).toEqual([]);
  });

  it('that are not read any more are closed, at the cost of bounded memory, and their clients catch up', async () => {
    const home = await homeForLoad();
    const { task_id } = await home.client.submitTask({ body: { goal: 'many', subtasks } });
    await Promise.all((await beginWork(home, SUBTASKS)).map((complete) => complete()));
    const { last_seq } = await home.client.listEvents({ params: { task_id } });
    const [reader, ...fans] = await openFans(home.client, task_id, 1 + STALLED);
    const before = process.memoryUsage().rss;
    let most = before;

    for (const fan of fans) fan.socket.pause();
    await until('those that do not read to be closed', () => {
      for (const fan of fans.filter((it) => it.isOpen())) fan.subscribe();
      most = Math.max(most, process.memoryUsage().rss);
      return fans.every((fan) => !fan.isOpen());
    });
    const again = await openFans(home.client, task_id, STALLED);

    const grown = Math.round((most - before) / 1_000_000);
    console.info(`${STALLED} sockets that are not read: ${grown} MB more at most`);
    expect(grown).toBeLessThan(MOST_MB);
    expect(reader?.isOpen()).toBe(true);
    for (const fan of again) expect(fan.seen).toHaveLength(last_seq);
    expect(home.logged).toEqual([]);
  });
});
