import { describe, expect, it } from 'vitest';
import { type Backend, backendForTest } from '../support/backend.ts';
import { enrol, type TestWorker } from '../support/worker.ts';

/** The response limit of Lambda, less some room for the envelope. */
const MOST_BYTES = 5_500_000;
const LARGE = 'x'.repeat(250_000);

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** Follows the pages of a list to its end, and checks that each fits into a Lambda response. */
const allPages = async <T>(read: (cursor: Record<string, string>) => Promise<{ items: T[]; next_cursor: string | null }>): Promise<T[]> => {
  const items: T[] = [];
  for (let cursor: Record<string, string> = {}; ; ) {
    const page = await read(cursor);
    expect(bytesOf(page)).toBeLessThan(MOST_BYTES);
    items.push(...page.items);
    if (page.next_cursor === null) return items;
    cursor = { cursor: page.next_cursor };
  }
};

/** The same number of parents and children, each parent with a large output. */
const withOutputs = async (backend: Backend, worker: TestWorker, pairs: number) => {
  const parents = Array.from({ length: pairs }, (_, n) => ({ key: `p${n}`, goal: 'parent' }));
  const children = parents.map(({ key }, n) => ({ key: `c${n}`, goal: 'child', dependencies: [key] }));
  const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: [...parents, ...children] } });
  for (const parent of await worker.claim(pairs)) await worker.complete(parent, LARGE);
  return task_id;
};

describe('a response fits through Lambda', () => {
  it('when 40 subtasks are claimed whose parents each have a large output: omitted outputs can be fetched', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { slots: 64 });
    await withOutputs(backend, worker, 40);

    const claimed = await worker.claim(50);

    expect(claimed).toHaveLength(40);
    expect(bytesOf(claimed)).toBeLessThan(MOST_BYTES);
    const [one] = claimed;
    const [key = ''] = Object.keys(one?.inputs ?? {});
    const input = await worker.as.ok.getInput({ params: { subtask_id: one?.subtask_id ?? '', key } });
    expect(input.result).toBe(LARGE);
  });

  it('when a single subtask is claimed: outputs up to 256 KiB are included', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await withOutputs(backend, worker, 1);

    const [it] = await worker.claim();

    expect(it?.inputs.p0).toMatchObject({ included: true, result: LARGE });
  });

  it('when 50 subtasks with the longest goals and inputs are claimed: the rest comes with the next claim', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { slots: 64 });
    const subtasks = Array.from({ length: 50 }, (_, n) => ({
      key: `s${n}`,
      goal: '€'.repeat(32_000),
      input: { text: 'y'.repeat(65_000) },
    }));
    for (let n = 0; n < 2; n++)
      await backend.admin.ok.submitTask({ body: { goal: '€'.repeat(32_000), subtasks: subtasks.slice(n * 25, n * 25 + 25) } });

    const first = await worker.claim(50);
    const rest: string[] = [];
    for (let more = first; more.length > 0; more = await worker.claim(50)) {
      expect(bytesOf(more)).toBeLessThan(MOST_BYTES);
      rest.push(...more.map((it) => it.subtask_id));
    }

    expect(first.length).toBeGreaterThan(5);
    expect(new Set(rest).size).toBe(50);
  });

  it('when subtasks with large results are listed: pages are shorter', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend, { slots: 64 });
    const task_id = await withOutputs(backend, worker, 40);

    const items = await allPages((query) => backend.admin.ok.listSubtasks({ params: { task_id }, query: { limit: 200, ...query } }));

    expect(items.map((it) => it.position)).toEqual(Array.from({ length: 80 }, (_, n) => n));
  });

  it('when tasks with the longest goals are listed', async () => {
    const backend = await backendForTest();
    for (let n = 0; n < 70; n++) await backend.admin.ok.submitTask({ body: { goal: '€'.repeat(32_000) } });

    const items = await allPages((query) => backend.admin.ok.listTasks({ query: { limit: 200, ...query } }));

    expect(new Set(items.map((it) => it.task_id)).size).toBe(70);
  });

  it('when long logs are read: the rest comes with the next request', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const [it] = await worker.claim();
    if (it === undefined) throw new Error('nothing was claimed');
    const params = { subtask_id: it.subtask_id };
    for (let n = 0; n < 100; n += 50) {
      const chunks = Array.from({ length: 50 }, (_, at) => ({ chunk: n + at, stream: 'stdout' as const, content: 'z'.repeat(65_000) }));
      await worker.as.ok.appendLogs({ params, body: { ...worker.fence(it), chunks } });
    }
    await worker.complete(it);

    const read: number[] = [];
    for (let complete = false; !complete; ) {
      const page = await backend.admin.ok.listLogs({ params, query: { limit: 200, after_chunk: read.at(-1) ?? -1 } });
      expect(bytesOf(page)).toBeLessThan(MOST_BYTES);
      read.push(...page.items.map((chunk) => chunk.chunk));
      complete = page.complete;
    }
    expect(read).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });
});
