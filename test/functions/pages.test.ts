import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../support/backend.ts';
import { enrol } from '../support/worker.ts';

const ROWS = 6;

type Page = { items: unknown[]; next_cursor: string | null };
type Ask = { limit: number; cursor?: string };

let backend: Backend;
let taskId: string;
beforeAll(async () => {
  backend = await createBackend();
  for (let n = 0; n < ROWS; n++) {
    const { task_id } = await backend.admin.ok.submitTask({
      body: { goal: 'x', subtasks: Array.from({ length: ROWS }, (_, at) => ({ key: `s${at}`, goal: 'x' })) },
    });
    taskId = task_id;
    await enrol(backend);
    if (n > 0) await backend.admin.ok.createApiKey({ body: { name: 'a key', scopes: ['tasks:read'] } }); // beside the first one
  }
  // Half of them were created at the same time.
  for (const [table, time, id] of [
    ['tasks', 'created_at', 'task_id'],
    ['workers', 'registered_at', 'worker_id'],
    ['api_keys', 'created_at', 'api_key_id'],
  ])
    await backend.ctx.sql.unsafe(
      `update ${table} set ${time} = (select max(${time}) from ${table}) where ${id} in (select ${id} from ${table} order by ${time} limit 3)`,
    );
});
afterAll(() => backend.close());

const lists: [string, (query: Ask) => Promise<Page>, string][] = [
  ['tasks', (query) => backend.admin.ok.listTasks({ query }), 'task_id'],
  ['workers', (query) => backend.admin.ok.listWorkers({ query }), 'worker_id'],
  ['API keys', (query) => backend.admin.ok.listApiKeys({ query }), 'api_key_id'],
  ['subtasks of a task', (query) => backend.admin.ok.listSubtasks({ params: { task_id: taskId }, query }), 'subtask_id'],
];

describe.each(lists)('the list of %s', (_, ask, id) => {
  const idsOf = ({ items }: Page) => items.map((item) => (item as Record<string, string>)[id]);

  it.each([1, 2, 3, 4, 5])('has each row on exactly one page and in the same order with a limit of %i', async (limit) => {
    const whole = await ask({ limit: 100 });

    const pages: Page[] = [];
    for (let cursor: string | null | undefined; cursor !== null; cursor = pages.at(-1)?.next_cursor) {
      pages.push(await ask({ limit, ...(cursor === undefined ? {} : { cursor }) }));
      expect(pages.length).toBeLessThanOrEqual(ROWS);
    }

    expect(idsOf(whole)).toHaveLength(ROWS);
    expect(pages.flatMap(idsOf)).toEqual(idsOf(whole));
    expect(pages).toHaveLength(Math.ceil(ROWS / limit));
  });

  it('has no next page after one that is exactly full', async () => {
    expect((await ask({ limit: ROWS })).next_cursor).toBeNull();
    expect((await ask({ limit: ROWS - 1 })).next_cursor).not.toBeNull();
  });
});
