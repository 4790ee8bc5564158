import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { submitTasks } from '../../functions/domain/tasks/tasks.sql.ts';
import type { Caller } from '../../functions/domain/principal.ts';
import { TaskSpec } from '../../schema/task.ts';
import { backendForTest } from '../support/backend.ts';
import { fingerprint } from './http/support/contents.ts';

const SPEC = {
  goal: 'everything at once',
  priority: 7,
  on_failure: 'continue',
  metadata: { b: 1, a: [{ z: null, y: 'x' }] },
  timeout_seconds: 900,
  subtasks: [
    { key: 'a', goal: 'a' },
    { key: 'b', goal: 'b', dependencies: ['a'] },
  ],
} as const;

describe('a submitted task', () => {
  it('is returned exactly as it is read later, with times to the microsecond', async () => {
    const backend = await backendForTest();

    for (let n = 0; n < 30; n++) {
      const submitted = await backend.admin.ok.submitTask({ body: n % 2 ? { goal: 'x' } : (structuredClone(SPEC) as never) });

      expect(await backend.admin.ok.getTask({ params: { task_id: submitted.task_id } })).toEqual(submitted);
    }
  });

  it('has its counts, its event and its outbox rows, also with an Idempotency-Key', async () => {
    const backend = await backendForTest();
    for (const isKeyed of [false, true]) {
      const { body, headers: replied } = await backend.admin.submitTask({ body: structuredClone(SPEC) as never, isKeyed });
      const { task_id } = body;

      expect(body).toMatchObject({ status: 'pending', subtask_count: 2, completed_count: 0, last_seq: 1, version: 2, priority: 7 });
      const { items } = await backend.admin.ok.listEvents({ params: { task_id } });
      expect(items).toMatchObject([{ seq: 1, type: 'task.submitted', data: { subtask_count: 2 }, request_id: replied['x-request-id'] }]);
      const topics = await backend.ctx.sql`
        select topic from outbox where payload::text like ${`%${task_id}%`} or topic = 'ready' order by topic`;
      expect(new Set(topics.map(({ topic }) => topic))).toEqual(new Set(['events', 'ready']));
      const [counts] = await backend.ctx
        .sql`select edge_count, deadline_at - created_at < interval '901 s' as timed from tasks where task_id = ${task_id}`;
      expect(counts).toEqual({ edge_count: 1, timed: true });
    }
  });

  it('leaves nothing behind when a part of it is refused, not even its idempotency key', async () => {
    const backend = await backendForTest();
    const [ids] = await backend.ctx.sql<[{ organization_id: string; user_id: string }]>`select organization_id, user_id from users`;
    const caller: Caller = {
      kind: 'caller',
      organization_id: ids.organization_id,
      principal_id: ids.user_id,
      owner_id: ids.user_id,
      scopes: [],
    };
    const spec = TaskSpec.parse(SPEC);
    const subtasks = (spec.subtasks ?? []).map((it) => ({ ...it, tool: 'scripted', position: 0, key: 'the same' }));
    const once = { key: 'k', operation: 'submitTask', hash: randomUUID(), secret: false };
    const before = await fingerprint(backend.ctx.sql);

    await expect(submitTasks(backend.ctx.sql, [{ ctx: backend.ctx, caller, spec, subtasks, edges: [], once }])).rejects.toThrow(/unique/);

    expect(await fingerprint(backend.ctx.sql)).toEqual(before);
  });
});

describe('iso_time', () => {
  it('formats a time as the driver does', async () => {
    const { ctx } = await backendForTest();

    const rows = await ctx.sql<{ at: string; text: string | null }[]>`
      select at, iso_time(at) as text
      from (
        select '2026-02-03 04:05:00+00'::timestamptz + n * interval '1 microsecond' as at
        from unnest(array[0, 1, 10, 100, 123456, 999999, 1000000, 9900000, 3600000000]) as n
        union all select null
      ) times`;

    expect(rows.map(({ text }) => text)).toEqual(rows.map(({ at }) => at));
    expect(rows).toHaveLength(10);
  });
});
