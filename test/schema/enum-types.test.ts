import { describe, expect, it } from 'vitest';
import { AttemptStatus, SubtaskStatus, TaskStatus, WorkerMode, WorkerStatus } from '../../schema/states.ts';
import { backendForTest } from '../support/backend.ts';

describe('the enum types of the database', () => {
  it.each([
    ['task_status', TaskStatus],
    ['subtask_status', SubtaskStatus],
    ['attempt_status', AttemptStatus],
    ['worker_status', WorkerStatus],
    ['worker_mode', WorkerMode],
  ] as const)('list the same states as the contracts: %s', async (type, contract) => {
    const { sql } = (await backendForTest()).ctx;

    const labels = await sql<{ label: string }[]>`
      select e.enumlabel::text as label from pg_enum e join pg_type t on t.oid = e.enumtypid where t.typname = ${type} order by e.enumsortorder`;

    expect(labels.map(({ label }) => label)).toEqual(contract.options);
  });
});

describe('code of the previous release', () => {
  it('still records events, which name no request there', async () => {
    const { admin, ctx } = await backendForTest();
    const { task_id } = await admin.ok.submitTask({ body: { goal: 'x' } });

    await ctx.sql`
      select record_events(array[(${task_id}::uuid, 'subtask.ready', 'info', 'x', null, null, null, null)::task_event])`;

    const { items } = await admin.ok.listEvents({ params: { task_id } });
    expect(items.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'task.submitted'],
      [2, 'subtask.ready'],
    ]);
  });
});
