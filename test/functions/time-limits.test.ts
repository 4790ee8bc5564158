import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../functions/domain/maintenance/maintenance.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { drain, enrol } from '../support/worker.ts';

const passDeadlines = ({ ctx }: Backend) => ctx.sql`update tasks set deadline_at = clock_timestamp() - interval '1 second'`;

const secondsUntil = (time: string | null) => (Date.parse(time ?? '') - Date.now()) / 1_000;

describe('the time limit of a task', () => {
  it('starts again in full when the task is retried', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', timeout_seconds: 3_600 } });
    await passDeadlines(backend);
    await endOverdue(backend.ctx);

    const retried = await backend.admin.ok.retryTask({ params: { task_id } });

    expect(retried.status).toBe('running');
    expect(secondsUntil(retried.deadline_at)).toBeGreaterThan(3_500);
    expect(secondsUntil(retried.deadline_at)).toBeLessThan(3_700);
    expect(await endOverdue(backend.ctx)).toMatchObject({ expired: 0 });
    expect(await drain(worker)).toHaveLength(1);
  });

  it('does not exist unless it was requested, also in a later run', async () => {
    const backend = await backendForTest();
    const { task_id, deadline_at } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await backend.admin.ok.cancelTask({ params: { task_id } });

    const retried = await backend.admin.ok.retryTask({ params: { task_id } });

    expect([deadline_at, retried.deadline_at]).toEqual([null, null]);
  });

  it('leaves started_at at the first start of the task, also in a later run', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const params = { task_id };
    await worker.claim();
    const { started_at } = await backend.admin.ok.cancelTask({ params });

    const retried = await backend.admin.ok.retryTask({ params });
    await drain(worker);

    expect(started_at).not.toBeNull();
    expect([retried, await backend.admin.ok.getTask({ params })].map((task) => task.started_at)).toEqual([started_at, started_at]);
  });

  it('changes nothing when it passes after the task has ended', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', timeout_seconds: 60 } });
    await drain(worker);
    const before = await backend.admin.ok.getTask({ params: { task_id } });
    await passDeadlines(backend);

    expect(await endOverdue(backend.ctx)).toEqual({ reaped: 0, expired: 0 });

    const { version, status } = await backend.admin.ok.getTask({ params: { task_id } });
    expect({ version, status }).toEqual({ version: before.version, status: 'completed' });
  });
});

describe('the time limit of an attempt', () => {
  it('counts from its start, which must come within 5 minutes, and gives its worker 15 s more to report the timeout itself', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const subtasks = ['a', 'b', 'c'].map((key) => ({ key, goal: key, timeout_seconds: 100 }));
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks } });

    await worker.claim(1, true);
    await worker.claim(1, false);
    const [third] = await worker.claim(1, false);
    if (third) await worker.start(third);

    const limits = await backend.ctx.sql`
      select status, round(extract(epoch from deadline_at - coalesce(started_at, claimed_at)))::int as seconds
      from attempts
      order by claimed_at`;
    expect([...limits]).toEqual([
      { status: 'running', seconds: 115 },
      { status: 'claimed', seconds: 315 },
      { status: 'running', seconds: 115 },
    ]);
  });

  it('cannot pass before the attempt is started: a timeout reported before counts as a failure', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    const [it] = await worker.claim(1, false);

    const reply = it && (await worker.fail(it, 'timed_out'));

    expect(reply?.status).toBe(200);
    const attempts = await backend.ctx.sql`select status, failure_class from attempts`;
    expect([...attempts]).toEqual([{ status: 'failed', failure_class: 'timed_out' }]);
  });
});
