import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../functions/domain/maintenance/maintenance.ts';
import type { Claimed } from '../../schema/attempt.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { checkInvariants } from '../support/invariants.ts';
import { drain, enrol, type TestWorker } from '../support/worker.ts';

const CONNECTIONS = 16;
const ROUNDS = 25;

/** Runs all concurrently, each on its own connection that is already open. */
const race = async <T>(backend: Backend, runners: (() => Promise<T>)[]): Promise<T[]> => {
  await Promise.all(runners.map(() => backend.ctx.sql`select pg_sleep(0.001)`));
  return Promise.all(runners.map((run) => run()));
};

const expectSound = async (backend: Backend) => expect(await checkInvariants(backend.ctx.sql)).toEqual([]);

const claimOne = async (worker: TestWorker): Promise<Claimed> => {
  const [claimed] = await worker.claim();
  if (claimed === undefined) throw new Error('nothing was claimed');
  return claimed;
};

const count = (statuses: readonly number[], status: number) => statuses.filter((it) => it === status).length;

describe.each([
  ['one process, whose workers share statements', false],
  ['a process for each request', true],
])('on many connections at once, in %s,', (_, isServerless) => {
  it('of two different results one is recorded and the other refused', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const worker = await enrol(backend);
    for (let round = 0; round < ROUNDS; round++) {
      const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
      const claimed = await claimOne(worker);

      const replies = await race(
        backend,
        Array.from({ length: 8 }, (_, n) => () => worker.complete(claimed, n)),
      );

      expect(
        count(
          replies.map((reply) => reply.status),
          200,
        ),
      ).toBe(1);
      expect(
        count(
          replies.map((reply) => reply.status),
          409,
        ),
      ).toBe(7);
      const { items } = await backend.admin.ok.listEvents({ params: { task_id } });
      expect(items.filter((event) => event.type === 'subtask.completed')).toHaveLength(1);
    }
    await expectSound(backend);
  });

  it('completion, cancelling and the reaper leave exactly one end', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const worker = await enrol(backend);
    for (let round = 0; round < ROUNDS; round++) {
      const { task_id } = await backend.admin.ok.submitTask({
        body: {
          goal: 'x',
          subtasks: [
            { key: 'a', goal: 'a' },
            { key: 'b', goal: 'b', dependencies: ['a'] },
          ],
        },
      });
      const claimed = await claimOne(worker);
      await backend.ctx
        .sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second' where subtask_id = ${claimed.subtask_id}`;

      const [completed] = await race<unknown>(backend, [
        () => worker.complete(claimed),
        () => backend.admin.cancelTask({ params: { task_id } }),
        () => endOverdue(backend.ctx),
        () => endOverdue(backend.ctx),
        () => worker.heartbeat([claimed]),
      ]);

      const task = await backend.admin.ok.getTask({ params: { task_id } });
      const { attempt_list } = await backend.admin.ok.getSubtask({ params: { subtask_id: claimed.subtask_id } });
      expect(task.status).toBe('cancelled');
      expect([200, 409]).toContain((completed as { status: number }).status);
      expect(['succeeded', 'cancelled', 'lost']).toContain(attempt_list.at(-1)?.status);
      expect(attempt_list.at(-1)?.status === 'succeeded').toBe((completed as { status: number }).status === 200);
    }
    await expectSound(backend);
  });

  it('two parents that end together release their child once', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const worker = await enrol(backend);
    for (let round = 0; round < ROUNDS; round++) {
      const parents = ['a', 'b', 'c', 'd'];
      const { task_id } = await backend.admin.ok.submitTask({
        body: { goal: 'x', subtasks: [...parents.map((key) => ({ key, goal: key })), { key: 'child', goal: 'x', dependencies: parents }] },
      });
      const claimed = await worker.claim(4);

      await race(
        backend,
        claimed.map((it) => () => worker.complete(it)),
      );

      const { items } = await backend.admin.ok.listEvents({ params: { task_id } });
      expect(items.filter((event) => event.type === 'subtask.ready')).toHaveLength(1);
      expect(await drain(worker)).toHaveLength(1);
    }
    await expectSound(backend);
  });

  it('dense fan-in of 8 × 8 layers completes without a deadlock', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const layers = Array.from({ length: 8 }, (_, layer) => Array.from({ length: 8 }, (_, at) => `l${layer}n${at}`));
    const subtasks = layers.flatMap((keys, layer) => keys.map((key) => ({ key, goal: key, dependencies: layers[layer - 1] ?? [] })));
    const tasks = await Promise.all(Array.from({ length: 4 }, () => backend.admin.ok.submitTask({ body: { goal: 'dense', subtasks } })));
    const workers = await Promise.all(Array.from({ length: CONNECTIONS }, () => enrol(backend)));
    const [before] = await backend.ctx.sql`select deadlocks from pg_stat_database where datname = current_database()`;

    let left = tasks.length * subtasks.length;
    const work = async (worker: TestWorker) => {
      while (left > 0) {
        for (const claimed of await worker.claim(2)) {
          if (!claimed.started) await worker.start(claimed);
          expect((await worker.complete(claimed)).status).toBe(200);
          left--;
        }
      }
    };
    await Promise.all(workers.map(work));

    for (const { task_id } of tasks) expect((await backend.admin.ok.getTask({ params: { task_id } })).status).toBe('completed');
    const [after] = await backend.ctx.sql`select deadlocks from pg_stat_database where datname = current_database()`;
    expect(after).toEqual(before);
    await expectSound(backend);
  });

  it('sixteen claims give every subtask to exactly one worker', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const workers = await Promise.all(Array.from({ length: CONNECTIONS }, () => enrol(backend)));
    for (let round = 0; round < ROUNDS; round++) {
      const subtasks = Array.from({ length: CONNECTIONS }, (_, n) => ({ key: `s${n}`, goal: 'x' }));
      const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks } });

      const claims = await race(
        backend,
        workers.map((worker) => () => worker.claim(1, false)),
      );

      const ids = claims.flat().map((it) => it.subtask_id);
      expect(new Set(ids).size).toBe(CONNECTIONS);
      await backend.admin.ok.cancelTask({ params: { task_id } });
    }
    await expectSound(backend);
  });

  it('claims of one worker never take more than its slots', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const worker = await enrol(backend, { slots: 3 });
    await backend.admin.ok.submitTask({
      body: { goal: 'x', subtasks: Array.from({ length: 40 }, (_, n) => ({ key: `s${n}`, goal: 'x' })) },
    });

    const claims = await race(
      backend,
      Array.from({ length: CONNECTIONS }, () => () => worker.claim(2)),
    );

    expect(claims.flat()).toHaveLength(3);
    await expectSound(backend);
  });

  it('a child that is added while its parent completes is released', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const worker = await enrol(backend);
    for (let round = 0; round < ROUNDS; round++) {
      const { task_id } = await backend.admin.ok.submitTask({
        body: {
          goal: 'x',
          subtasks: [
            { key: 'a', goal: 'a' },
            { key: 'z', goal: 'z', labels: { never: 'here' } },
          ],
        },
      });
      const parent = await claimOne(worker);

      const [, added] = await race<{ status: number }>(backend, [
        () => worker.complete(parent),
        () => backend.admin.addSubtasks({ params: { task_id }, body: { subtasks: [{ key: 'child', goal: 'c', dependencies: ['a'] }] } }),
      ]);

      expect(added?.status).toBe(201);
      expect((await drain(worker)).map((it) => it.key)).toEqual(['child']);
      await backend.admin.ok.cancelTask({ params: { task_id } });
    }
    await expectSound(backend);
  });

  it('no subtask starts once a cancel has returned', async () => {
    const backend = await backendForTest({ pool: CONNECTIONS, isServerless });
    const workers = await Promise.all(Array.from({ length: 6 }, () => enrol(backend)));
    for (let round = 0; round < ROUNDS; round++) {
      const { task_id } = await backend.admin.ok.submitTask({
        body: { goal: 'x', subtasks: Array.from({ length: 12 }, (_, n) => ({ key: `s${n}`, goal: 'x' })) },
      });

      await race<unknown>(backend, [
        () => backend.admin.cancelTask({ params: { task_id } }),
        ...workers.map((worker) => () => worker.claim(2)),
      ]);

      const { items } = await backend.admin.ok.listEvents({ params: { task_id }, query: { limit: 1000 } });
      const cancelled = items.findIndex((event) => event.type === 'task.cancelled');
      expect(items.slice(cancelled + 1)).toEqual([]);
    }
    await expectSound(backend);
  });
});
