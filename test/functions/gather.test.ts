import { describe, expect, it } from 'vitest';
import { createGather } from '../../functions/domain/gather.ts';

/** Work whose runs end one by one when the test releases them. */
const createWork = () => {
  const runs: { items: readonly number[]; succeed(): void; fail(error: Error): void }[] = [];
  const work = (items: readonly number[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      runs.push({ items, succeed: () => resolve(items.map((item) => `answer ${item}`)), fail: reject });
    });
  return { runs, work };
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('requests that ask for the same thing at the same time', () => {
  it('are answered together, each with its own reply, and never by a run that started before they arrived', async () => {
    const { runs, work } = createWork();
    const ask = createGather(work, { most: 10, atOnce: 1 });

    const answers = Promise.all([1, 2, 3].map(ask));
    expect(runs.map(({ items }) => items)).toEqual([[1]]);
    runs[0]?.succeed();
    await turn();
    expect(runs.map(({ items }) => items)).toEqual([[1], [2, 3]]);
    runs[1]?.succeed();

    expect(await answers).toEqual(['answer 1', 'answer 2', 'answer 3']);
  });

  it('run at once again when no other run is in progress', async () => {
    const { runs, work } = createWork();
    const ask = createGather(work, { most: 10, atOnce: 1 });
    for (const item of [1, 2]) {
      const answer = ask(item);
      expect(runs.at(-1)?.items).toEqual([item]);
      runs.at(-1)?.succeed();
      await turn();
      expect(await answer).toBe(`answer ${item}`);
    }

    expect(runs).toHaveLength(2);
  });

  it('are limited per run, and so are concurrent runs', async () => {
    const { runs, work } = createWork();
    const ask = createGather(work, { most: 2, atOnce: 2 });

    const answers = Promise.all([1, 2, 3, 4, 5].map(ask));
    expect(runs.map(({ items }) => items)).toEqual([[1], [2]]);
    runs[1]?.succeed(); // the first is slow, and holds up nobody
    await turn();
    expect(runs.map(({ items }) => items)).toEqual([[1], [2], [3, 4]]);
    for (const at of [0, 2, 3]) {
      runs[at]?.succeed();
      await turn();
    }

    expect(await answers).toHaveLength(5);
  });

  it('all get the error of their run, and the next run is not affected', async () => {
    const { runs, work } = createWork();
    const ask = createGather(work, { most: 10, atOnce: 1 });
    const first = ask(0);
    const failed = [1, 2].map((item) => ask(item).catch((error: Error) => error.message));
    runs[0]?.succeed();
    await first;
    await turn();

    const next = ask(3);
    runs[1]?.fail(new Error('as asked'));
    expect(await Promise.all(failed)).toEqual(['as asked', 'as asked']);
    await turn();
    runs[2]?.succeed();

    expect(await next).toBe('answer 3');
  });
});
