import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../functions/domain/maintenance/maintenance.ts';
import type { Claimed } from '../../schema/attempt.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { checkInvariants } from '../support/invariants.ts';
import { deadlocksOf, untilBlocked } from '../support/locks.ts';
import { enrol, type TestWorker } from '../support/worker.ts';

const CONNECTIONS = 12;

const taskWith = (backend: Backend, keys: readonly string[]) =>
  backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: keys.map((key) => ({ key, goal: key })) } });

const claimOne = async (worker: TestWorker): Promise<Claimed> => {
  const [claimed] = await worker.claim();
  if (claimed === undefined) throw new Error('nothing was claimed');
  return claimed;
};

const completeAndClaim = (worker: TestWorker, held: readonly Claimed[]) =>
  worker.as.completeSubtasks({
    params: { worker_id: worker.worker_id },
    body: {
      completions: held.map((it) => ({ subtask_id: it.subtask_id, ...worker.fence(it), result: 1 })),
      claim: { claim_request_id: randomUUID(), limit: 2, start: true },
    },
  });

const remove = (backend: Backend, { worker_id }: TestWorker) => backend.admin.deleteWorker({ params: { worker_id } });

/** Starts some work while another transaction holds the lock of the task, and returns its result after that lock is released. */
const whileLocked = <T>({ ctx }: Backend, taskId: string, work: () => Promise<T>): Promise<T> =>
  ctx.sql.begin(async (sql) => {
    await sql`select from tasks where task_id = ${taskId} for no key update`;
    return work();
  });

describe('the reaper', () => {
  it('does not end an attempt that was renewed while it waited for the lock of its task', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await taskWith(backend, ['a', 'b']);
    const [renewed, silent] = await worker.claim(2);
    if (!renewed || !silent) throw new Error('two were to be claimed');
    await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;

    const { reaper, beat } = await whileLocked(backend, task_id, async () => {
      const ended = endOverdue(backend.ctx);
      await untilBlocked(backend.ctx.sql, 1);
      return { reaper: ended, beat: await worker.heartbeat([renewed]) };
    });

    expect(beat.body.leases).toMatchObject([{ state: 'renewed' }]);
    expect(await reaper).toMatchObject({ reaped: 1 });
    expect((await worker.heartbeat([renewed, silent])).body.leases.map(({ state }) => state)).toEqual(['renewed', 'lost']);
    expect((await worker.complete(renewed)).status).toBe(200);
  });
});

describe('a claim', () => {
  it('returns the next subtask at once while another transaction holds the first entry of the queue', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);
    const { task_id } = await taskWith(backend, ['first', 'second']);

    const claimed = await backend.ctx.sql.begin(async (sql) => {
      const held = await sql`
        select from queue_entries q join subtasks s using (subtask_id)
        where s.task_id = ${task_id} and s.key = 'first'
        for update of q`;
      expect(held.count).toBe(1);
      return worker.claim(2);
    });

    expect(claimed.map(({ key }) => key)).toEqual(['second']);
    expect((await worker.claim(2)).map(({ key }) => key)).toEqual(['first']);
  });
});

describe('completing and claiming in one request', () => {
  it('does not deadlock with the removal of its worker, whichever waits for the task first', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS });
    for (const isRemovedFirst of [true, false]) {
      const worker = await enrol(backend);
      const { task_id } = await taskWith(backend, ['a', 'b']);
      const held = await claimOne(worker);
      const calls = [() => remove(backend, worker), () => completeAndClaim(worker, [held])] as const;
      const [first, second] = isRemovedFirst ? calls : [calls[1], calls[0]];

      const running = await whileLocked(backend, task_id, async () => {
        const one = first();
        await untilBlocked(backend.ctx.sql, 1);
        const two = second();
        await untilBlocked(backend.ctx.sql, 2);
        return [one, two] as const;
      });
      const statuses = (await Promise.all<{ status: number }>(running)).map(({ status }) => status);

      expect(statuses).toEqual(isRemovedFirst ? [200, 401] : [200, 200]);
      await backend.admin.ok.cancelTask({ params: { task_id } });
    }
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
    expect(await deadlocksOf(backend)).toBe(0);
  });

  it('races with the removal of its worker on many connections without a deadlock', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS });
    for (let round = 0; round < 20; round++) {
      const workers = await Promise.all(Array.from({ length: 4 }, () => enrol(backend)));
      const tasks = await Promise.all(Array.from({ length: 4 }, () => taskWith(backend, ['a', 'b', 'c', 'd'])));
      const held = await Promise.all(workers.map((worker) => worker.claim(3)));

      const replies = await Promise.all(
        workers.flatMap((worker, at) => [completeAndClaim(worker, held[at] ?? []), remove(backend, worker)]),
      );

      expect(replies.filter(({ status }) => ![200, 401].includes(status))).toEqual([]);
      for (const { task_id } of tasks) await backend.admin.cancelTask({ params: { task_id } }); // unless it has completed
    }
    expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
    expect(await deadlocksOf(backend)).toBe(0);
  });
});
