import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBatches } from '../../functions/domain/batches.ts';

type Request = { group: string; key: string; weight: number; fails: boolean; id: number };

const batchesOf = (options: { mostWeight?: number; mostWaiting?: number; isWorthATryAlone?: boolean; abandoned?: Set<number> } = {}) => {
  const ran: (readonly Request[])[] = [];
  const send = createBatches<Request, number>({
    groupOf: ({ group }) => group,
    keyOf: ({ key }) => key,
    weightOf: ({ weight }) => weight,
    mostWeight: options.mostWeight ?? 10,
    isAbandoned: ({ id }) => options.abandoned?.has(id) ?? false,
    mostWaiting: options.mostWaiting ?? 1_000,
    run: async (requests) => {
      ran.push(requests);
      await new Promise((resolve) => setImmediate(resolve));
      if (requests.some(({ fails }) => fails)) throw new Error('one of them fails');
      return requests.map(async ({ id }) => id);
    },
    isWorthATryAlone: () => options.isWorthATryAlone ?? true,
  });
  return { send, ran };
};

const request = fc.record({
  group: fc.constantFrom('a', 'b'),
  key: fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5'),
  weight: fc.integer({ min: 1, max: 12 }),
  fails: fc.boolean(),
});

describe('requests that run in batches', () => {
  it('each get one reply; an invalid one fails alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 40 }), async (specs) => {
        const { send } = batchesOf();

        const answers = await Promise.allSettled(specs.map((spec, id) => send({ ...spec, id })));

        answers.forEach((answer, id) => {
          expect(answer.status).toBe(specs[id]?.fails ? 'rejected' : 'fulfilled');
          if (answer.status === 'fulfilled') expect(answer.value).toBe(id);
        });
      }),
    );
  });

  it('never share a batch with another group or the same key, never exceed its maximum weight, and keep the order of a key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 40 }), async (specs) => {
        const { send, ran } = batchesOf();

        await Promise.allSettled(specs.map((spec, id) => send({ ...spec, fails: false, id })));

        for (const batch of ran) {
          expect(new Set(batch.map(({ group }) => group)).size).toBe(1);
          expect(new Set(batch.map(({ key }) => key)).size).toBe(batch.length);
          if (batch.length > 1) expect(batch.reduce((sum, { weight }) => sum + weight, 0)).toBeLessThanOrEqual(10);
        }
        for (const of of Map.groupBy(ran.flat(), ({ group, key }) => `${group} ${key}`).values())
          expect(of.map(({ id }) => id)).toEqual(of.map(({ id }) => id).toSorted((a, b) => a - b));
      }),
    );
  });

  it('share a batch with those that were just answered and ask again at once', async () => {
    const { send, ran } = batchesOf();
    const ask = async (id: number, times: number) => {
      for (let n = 0; n < times; n++) {
        await send({ group: 'a', key: `k${id}`, weight: 1, fails: false, id });
        for (let n = 0; n < 20; n++) await Promise.resolve(); // on its way to the caller and back
      }
    };

    const first = ask(0, 3);
    await Promise.resolve(); // its batch is under way
    await Promise.all([first, ask(1, 3), ask(2, 3)]);

    expect(ran.map((batch) => batch.length)).toEqual([1, 3, 3, 2]);
  });

  it('run whenever they arrive, even between the end of a batch and the handling of its end', async () => {
    for (let hops = 0; hops < 12; hops++) {
      const send = createBatches<number, number>({
        groupOf: () => 'a',
        keyOf: String,
        weightOf: () => 1,
        mostWeight: 10,
        isAbandoned: () => false,
        mostWaiting: 10,
        run: async (requests) => requests.map(async (id) => id),
        isWorthATryAlone: () => false,
      });
      const later = async (id: number, turns: number) => {
        for (let n = 0; n < turns; n++) await Promise.resolve();
        return send(id);
      };

      const answers = await Promise.all([0, 1, 2, 3, 4, 5].map((id) => later(id, id * hops)));

      expect(answers).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  it('wait for the running batch of their group, but not for those of other groups', async () => {
    const { send, ran } = batchesOf();
    const one = (group: string, id: number) => send({ group, key: `k${id}`, weight: 1, fails: false, id });
    const answered: number[] = [];

    const first = one('a', 0).then((id) => answered.push(id));
    await Promise.resolve();
    const later = one('a', 1);
    const other = one('b', 2);
    await Promise.resolve();
    await Promise.resolve();

    expect(answered).toEqual([]);
    expect(ran.map((batch) => batch.map(({ id }) => id))).toEqual([[0], [2]]);
    await Promise.all([first, later, other]);
  });

  it('run together when they arrive during a batch, and at once when they arrive alone', async () => {
    const { send, ran } = batchesOf();
    const one = (id: number) => send({ group: 'a', key: `k${id}`, weight: 1, fails: false, id });

    const first = one(0);
    await Promise.resolve();
    await Promise.all([first, one(1), one(2), one(3)]);

    expect(ran.map((batch) => batch.map(({ id }) => id))).toEqual([[0], [1, 2, 3]]);
  });

  it('are not started once nobody waits for them', async () => {
    const abandoned = new Set<number>();
    const { send, ran } = batchesOf({ abandoned });
    const one = (id: number) => send({ group: 'a', key: `k${id}`, weight: 1, fails: false, id });

    const first = one(0);
    await Promise.resolve();
    const others = Promise.allSettled([one(1), one(2)]);
    abandoned.add(1);
    await first;

    expect((await others).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(ran.map((batch) => batch.map(({ id }) => id))).toEqual([[0], [2]]);
  });

  it('are refused with a defined error when too many wait', async () => {
    const { send } = batchesOf({ mostWaiting: 2 });
    const one = (id: number) => send({ group: 'a', key: `k${id}`, weight: 1, fails: false, id });

    const answers = await Promise.allSettled([one(0), one(1), one(2)]);

    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((answers[2] as PromiseRejectedResult).reason).toMatchObject({ code: 'unavailable' });
    expect(await Promise.all([one(3), one(4)])).toEqual([3, 4]);
  });

  it('are not tried alone where that is not worth it', async () => {
    const { send, ran } = batchesOf({ isWorthATryAlone: false });
    const one = (id: number, fails: boolean) => send({ group: 'a', key: `k${id}`, weight: 1, fails, id });

    const first = one(0, false);
    await Promise.resolve();
    const answers = await Promise.allSettled([first, one(1, true), one(2, false)]);

    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(ran.map((batch) => batch.map(({ id }) => id))).toEqual([[0], [1, 2]]);
  });
});
