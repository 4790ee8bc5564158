import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../functions/domain/maintenance/maintenance.ts';
import type { Claimed } from '../../schema/attempt.ts';
import { Retry } from '../../schema/task.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { until } from '../support/processes.ts';
import { enrol, type TestWorker } from '../support/worker.ts';

const DRAWS = 1_000;
const HOUR = 3_600_000;

const drawDelays = async ({ ctx }: Backend, retry: object, failures: number): Promise<number[]> => {
  const rows = await ctx.sql<{ ms: number }[]>`
    select retry_delay_ms(${JSON.stringify(retry)}::jsonb, ${failures}) as ms from generate_series(1, ${DRAWS}::int)`;
  return rows.map((row) => row.ms);
};

const claimOne = async (worker: TestWorker): Promise<Claimed> => {
  const [claimed] = await worker.claim();
  if (claimed === undefined) throw new Error('nothing was claimed');
  return claimed;
};

const submitRetried = ({ admin }: Backend, retry: object) =>
  admin.ok.submitTask({ body: { goal: 'x', subtasks: [{ key: 'a', goal: 'x', retry: { on: ['rate_limited'], ...retry } }] } });

describe('the wait before a retry', () => {
  it('is random between half and all of the base doubled with each failure, and at most max_ms', async () => {
    const backend = await backendForTest();
    const retries = fc.record({ base_ms: fc.integer({ min: 1, max: HOUR }), max_ms: fc.integer({ min: 1, max: 24 * HOUR }) });

    await fc.assert(
      fc.asyncProperty(retries, fc.integer({ min: 1, max: 2_000 }), async ({ base_ms, max_ms }, failures) => {
        const most = Math.min(max_ms, base_ms * 2 ** (failures - 1));
        const shares = (await drawDelays(backend, Retry.parse({ base_ms, max_ms }), failures)).map((ms) => ms / most);

        expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.5);
        expect(Math.max(...shares)).toBeLessThanOrEqual(1);
        // The probability that a thousand uniform draws miss these is below 1e-20.
        expect(Math.min(...shares)).toBeLessThan(0.55);
        expect(Math.max(...shares)).toBeGreaterThan(0.95);
        expect(new Set(shares).size).toBeGreaterThan(DRAWS / 2);
      }),
      {
        numRuns: 60,
        examples: [
          [{ base_ms: 1_000, max_ms: 60_000 }, 1],
          [{ base_ms: HOUR, max_ms: 24 * HOUR }, 2_000],
        ],
      },
    );
  });

  it('is zero when base_ms or max_ms is 0', async () => {
    const backend = await backendForTest();

    for (const none of [{ base_ms: 0 }, { max_ms: 0 }])
      expect(new Set(await drawDelays(backend, Retry.parse(none), 3))).toEqual(new Set([0]));
  });

  it('doubles with each attempt of a subtask', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await submitRetried(backend, { max_attempts: 5, base_ms: HOUR, max_ms: 5 * HOUR });

    const hours: number[] = [];
    for (let failures = 1; failures < 5; failures++) {
      const it = await claimOne(worker);
      await worker.fail(it, 'rate_limited');
      const [row] = await backend.ctx.sql<[{ hours: number }]>`
        select extract(epoch from s.run_after - a.ended_at)::float8 / 3600 as hours
        from subtasks s join attempts a using (subtask_id, attempt) where subtask_id = ${it.subtask_id}`;
      hours.push(row.hours);
      await backend.ctx.sql`update queue_entries set run_after = clock_timestamp()`;
    }

    for (const [at, most] of [1, 2, 4, 5].entries()) {
      expect(hours[at]).toBeGreaterThanOrEqual(most / 2);
      expect(hours[at]).toBeLessThan(most + 0.1);
    }
  });

  it('must pass before the subtask can be claimed again, and no more than that', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await submitRetried(backend, { base_ms: 400 });
    await worker.fail(await claimOne(worker), 'rate_limited');

    const again = await until('the subtask to be claimed again', async () => (await worker.claim())[0], 10_000);

    const { items } = await backend.admin.ok.listEvents({ params: { task_id } });
    const { data } = items.find((event) => event.type === 'subtask.retried') ?? {};
    const { attempt_list } = await backend.admin.ok.getSubtask({ params: { subtask_id: again.subtask_id } });
    const runAfter = Date.parse((data as { run_after: string }).run_after);
    expect(runAfter - Date.parse(attempt_list[1]?.ended_at ?? '')).toBeGreaterThanOrEqual(200);
    expect(Date.parse(attempt_list[0]?.claimed_at ?? '')).toBeGreaterThanOrEqual(runAfter);
  });

  it('is zero after a lost or released attempt', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await submitRetried(backend, { base_ms: HOUR });

    await worker.release(await claimOne(worker));
    await claimOne(worker);
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second' where ended_at is null`;
    await endOverdue(backend.ctx);

    expect((await claimOne(worker)).attempt).toBe(3);
  });
});

describe('a subtask that waits for its retry', () => {
  const held = async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: ['a', 'b', 'c'].map((key) => ({ key, goal: key })) } });
    return { backend, worker, it: await claimOne(worker) };
  };

  it('belongs to no worker', async () => {
    const { backend, worker, it } = await held();

    await worker.release(it);

    const { status, worker_id, started_at } = await backend.admin.ok.getSubtask({ params: { subtask_id: it.subtask_id } });
    expect({ status, worker_id }).toEqual({ status: 'ready', worker_id: null });
    expect(started_at).not.toBeNull();
  });

  it('is claimed before those that waited behind it', async () => {
    const { worker, it } = await held();

    await worker.release(it);

    expect((await worker.claim(3)).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  });

  it('has no error once it completes', async () => {
    const { backend, worker, it } = await held();

    await worker.release(it);
    await worker.complete(await claimOne(worker));

    const subtask = await backend.admin.ok.getSubtask({ params: { subtask_id: it.subtask_id } });
    expect(subtask).toMatchObject({
      status: 'completed',
      error: null,
      attempt_list: [{ error: null }, { error: { failure_class: 'released' } }],
    });
  });

  it('keeps the failure that was reported first: another one is refused', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    await submitRetried(backend, {});
    const it = await claimOne(worker);

    const replies = [
      await worker.fail(it, 'rate_limited', 'too fast'),
      await worker.fail(it, 'rate_limited', 'too slow'),
      await worker.fail(it, 'spawn_failed', 'too fast'),
      await worker.release(it),
      await worker.complete(it),
    ];

    expect(replies.map(({ status }) => status)).toEqual([200, 409, 409, 409, 409]);
    for (const reply of replies.slice(1)) expect(reply.body).toMatchObject({ code: 'attempt_ended' });
    const { error } = await backend.admin.ok.getSubtask({ params: { subtask_id: it.subtask_id } });
    expect(error).toEqual({ failure_class: 'rate_limited', message: 'too fast' });
  });
});

describe('a task that is retried', () => {
  it.each([
    ['tries that failed', (worker: TestWorker, it: Claimed) => worker.fail(it, 'rate_limited')],
    ['tries that were lost or given back', (worker: TestWorker, it: Claimed) => worker.release(it)],
  ])('has all of its %s before it again', async (_, end) => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await submitRetried(backend, { max_attempts: 2, max_infra_attempts: 2, base_ms: 0 });
    const endNext = async () => {
      await end(worker, await claimOne(worker));
      return (await backend.admin.ok.getTask({ params: { task_id } })).status;
    };
    expect([await endNext(), await endNext()]).toEqual(['running', 'failed']);

    await backend.admin.ok.retryTask({ params: { task_id } });

    expect([await endNext(), await endNext()]).toEqual(['running', 'failed']);
  });
});
