import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../functions/domain/maintenance/maintenance.ts';
import type { Claimed } from '../../schema/attempt.ts';
import type { SubtaskStatus } from '../../schema/states.ts';
import { type Backend, backendForTest } from '../support/backend.ts';
import { checkInvariants } from '../support/invariants.ts';
import { enrol, type TestWorker } from '../support/worker.ts';
import { all, cancelOpen, end, endAttempt, fresh, isTaskOpen, type Model, type Node, nodeAt, RETRY, settle } from './support/task-model.ts';

/*
 * After each step the engine must be in the state of the model. Illegal changes of state fail by themselves: the template database
 * holds them against the table of edges by triggers.
 */
type Real = { backend: Backend; worker: TestWorker; taskId: string; stale: Claimed[] };

/** The state on which the model and the platform must agree. */
const expectSame = async (model: Model, { backend, taskId }: Real) => {
  const task = await backend.admin.ok.getTask({ params: { task_id: taskId } });
  const { items } = await backend.admin.ok.listSubtasks({ params: { task_id: taskId } });
  const seen = Object.fromEntries(
    items.map((it) => [it.key, [it.status, it.attempt, it.attempts, it.infra_attempts, it.run_after !== null]]),
  );
  const wanted = [...model.nodes].map(([key, it]) => [key, [it.status, it.attempt, it.attempts, it.infraAttempts, it.waits]]);
  expect({ status: task.status, paused: task.paused, run: task.run, subtasks: seen }).toEqual({
    status: model.status,
    paused: model.paused,
    run: model.run,
    subtasks: Object.fromEntries(wanted),
  });
  expect(task.completed_count).toBe(all(model).filter((node) => node.status === 'completed').length);
};

type Step = fc.AsyncCommand<Model, Real>;
const step = (name: string, check: (model: Model) => boolean, run: (model: Model, real: Real) => Promise<void>): Step => ({
  check,
  run: async (model, real) => {
    await run(model, real);
    await expectSame(model, real);
  },
  toString: () => name,
});

const held = (node: Node): Claimed => {
  if (node.lease === null) throw new Error('the model holds no lease');
  return node.lease;
};
/** Records a lease that has ended, which must never be accepted again. */
const giveUp = (node: Node, real: Real) => real.stale.push(held(node));

const params = ({ taskId }: Real) => ({ task_id: taskId });

const claim = (limit: number, start: boolean) =>
  step(
    `claim ${limit}${start ? ' and start' : ''}`,
    () => true,
    async (model, real) => {
      const takeable = model.paused ? [] : all(model).filter((node) => node.status === 'ready' && !node.waits);
      const claimed = await real.worker.claim(limit, start);
      expect(claimed).toHaveLength(Math.min(limit, takeable.length));
      for (const it of claimed) {
        const node = model.nodes.get(it.key) as Node;
        expect(takeable).toContain(node);
        Object.assign(node, { status: start ? 'running' : 'claimed', lease: it, attempt: node.attempt + 1 });
      }
      if (start && claimed.length > 0) model.status = 'running';
    },
  );

/** A step for one subtask in the given state. */
const at = (name: string, place: number, status: SubtaskStatus, run: (model: Model, real: Real, node: Node) => Promise<void>) =>
  step(
    `${name} ${place}`,
    (model) => nodeAt(model, place, status) !== undefined,
    (model, real) => run(model, real, nodeAt(model, place, status) as Node),
  );

const begin = (place: number) =>
  at('start', place, 'claimed', async (model, real, node) => {
    expect((await real.worker.start(held(node))).status).toBe(200);
    node.status = 'running';
    model.status = 'running';
  });

const complete = (place: number) =>
  at('complete', place, 'running', async (model, real, node) => {
    expect((await real.worker.complete(held(node))).status).toBe(200);
    end(node, 'completed');
    settle(model);
  });

const fail = (place: number, reason: 'tool_error' | 'rate_limited' | 'timed_out') =>
  at(`fail as ${reason}`, place, 'running', async (model, real, node) => {
    giveUp(node, real);
    const { subtask_id } = held(node);
    expect((await real.worker.fail(held(node), reason)).status).toBe(200);
    const { attempt_list } = await real.backend.admin.ok.getSubtask({ params: { subtask_id } });
    expect(attempt_list[0]?.status).toBe(reason === 'timed_out' ? 'timed_out' : 'failed');
    endAttempt(model, node, true, reason !== 'tool_error');
  });

const release = (place: number, status: 'claimed' | 'running') =>
  at(`release ${status}`, place, status, async (model, real, node) => {
    giveUp(node, real);
    expect((await real.worker.release(held(node))).status).toBe(200);
    endAttempt(model, node, false, false);
  });

const loseLease = (place: number, status: 'claimed' | 'running') =>
  at(`lose the lease of ${status}`, place, status, async (model, real, node) => {
    giveUp(node, real);
    await real.backend.ctx.sql`
      update attempts set lease_expires_at = clock_timestamp() - interval '1 second'
      where subtask_id = ${held(node).subtask_id} and attempt = ${node.attempt}`;
    expect(await endOverdue(real.backend.ctx)).toMatchObject({ reaped: 1 });
    endAttempt(model, node, false, false);
  });

const takeTooLong = (place: number) =>
  at('take too long', place, 'running', async (model, real, node) => {
    giveUp(node, real);
    await real.backend.ctx.sql`
      update attempts set deadline_at = clock_timestamp() - interval '1 second'
      where subtask_id = ${held(node).subtask_id} and attempt = ${node.attempt}`;
    expect(await endOverdue(real.backend.ctx)).toMatchObject({ reaped: 1 });
    endAttempt(model, node, true, true);
  });

const wait = () =>
  step(
    'wait',
    () => true,
    async (model, { backend }) => {
      await backend.ctx.sql`
      with passed as (update subtasks set run_after = null where run_after is not null)
      update queue_entries set run_after = null where run_after is not null`;
      for (const node of all(model)) node.waits = false;
    },
  );

const cancel = () =>
  step(
    'cancel',
    () => true,
    async (model, real) => {
      const { status } = await real.backend.admin.cancelTask({ params: params(real) });
      expect(status).toBe(isTaskOpen(model) || model.status === 'cancelled' ? 200 : 409);
      if (!isTaskOpen(model)) return;
      for (const node of all(model)) if (node.lease) giveUp(node, real);
      cancelOpen(model);
      model.status = 'cancelled';
    },
  );

const setPaused = (paused: boolean) =>
  step(
    paused ? 'pause' : 'resume',
    () => true,
    async (model, real) => {
      const { admin } = real.backend;
      const { status } = await (paused ? admin.pauseTask({ params: params(real) }) : admin.resumeTask({ params: params(real) }));
      expect(status).toBe(isTaskOpen(model) ? 200 : 409);
      if (isTaskOpen(model)) model.paused = paused;
    },
  );

const retry = () =>
  step(
    'retry',
    () => true,
    async (model, real) => {
      const { status } = await real.backend.admin.retryTask({ params: params(real) });
      expect(status).toBe(['failed', 'cancelled'].includes(model.status) ? 200 : 409);
      if (status !== 200) return;
      for (const node of all(model).filter((it) => it.status !== 'completed'))
        Object.assign(node, { status: 'blocked', attempts: 0, infraAttempts: 0, waits: false });
      Object.assign(model, { status: 'running', paused: false, run: model.run + 1 });
      settle(model);
    },
  );

const add = (parents: readonly number[]) =>
  step(
    `add below ${parents.join()}`,
    (model) => model.nodes.size < 12,
    async (model, real) => {
      const keys = [...model.nodes.keys()];
      const names = [...new Set(parents.map((parent) => keys[parent % keys.length] ?? ''))];
      const key = `n${model.nodes.size}`;
      const { status } = await real.backend.admin.addSubtasks({
        params: params(real),
        body: { subtasks: [{ key, goal: key, dependencies: names, retry: RETRY }] },
      });
      const isDead = names.some((name) => ['failed', 'cancelled', 'skipped'].includes(model.nodes.get(name)?.status ?? ''));
      expect(status).toBe(!isTaskOpen(model) ? 409 : isDead ? 422 : 201);
      if (status !== 201) return;
      model.nodes.set(key, fresh(names));
      settle(model);
    },
  );

const writeLate = (place: number) =>
  step(
    `write late ${place}`,
    () => true,
    async (_, { worker, stale }) => {
      const it = stale[place % Math.max(1, stale.length)];
      if (it === undefined) return;
      for (const reply of [await worker.start(it), await worker.complete(it)]) {
        expect(reply.status).toBe(409);
        expect(['lease_lost', 'attempt_ended']).toContain((reply.body as unknown as { code: string }).code);
      }
    },
  );

const place = fc.nat({ max: 11 });
const leased = fc.constantFrom('claimed' as const, 'running' as const);
const steps = fc.commands(
  [
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()).map(([limit, start]) => claim(limit, start)),
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constant(true)).map(([limit, start]) => claim(limit, start)),
    place.map(begin),
    place.map(complete),
    place.map(complete),
    fc
      .tuple(place, fc.constantFrom('tool_error' as const, 'rate_limited' as const, 'timed_out' as const))
      .map(([it, reason]) => fail(it, reason)),
    place.map((it) => fail(it, 'rate_limited')),
    place.map((it) => fail(it, 'rate_limited')),
    fc.tuple(place, leased).map(([it, status]) => release(it, status)),
    fc.tuple(place, leased).map(([it, status]) => loseLease(it, status)),
    place.map(takeTooLong),
    fc.constant(wait()),
    fc.constant(wait()),
    fc.constant(wait()),
    fc.constant(cancel()),
    fc.boolean().map(setPaused),
    fc.constant(retry()),
    fc.array(place, { maxLength: 3 }).map(add),
    place.map(writeLate),
  ],
  { maxCommands: 80, size: 'max' },
);
const shape = fc.record({
  goesOn: fc.boolean(),
  parents: fc.tuple(
    ...Array.from({ length: 6 }, (_, at) =>
      fc.subarray(
        Array.from({ length: at }, (_, before) => `n${before}`),
        { maxLength: Math.min(3, at) },
      ),
    ),
  ),
});

describe('a task, after any operations in any order,', () => {
  it('is in the state that the model predicts', async () => {
    const backend = await backendForTest();
    const worker = await enrol(backend);

    await fc.assert(
      fc.asyncProperty(shape, steps, async ({ goesOn, parents }, commands) => {
        const { task_id } = await backend.admin.ok.submitTask({
          body: {
            goal: 'model',
            on_failure: goesOn ? 'continue' : 'fail_task',
            subtasks: parents.map((dependencies, at) => ({ key: `n${at}`, goal: 'x', dependencies, retry: RETRY })),
          },
        });
        const model: Model = {
          status: 'pending',
          paused: false,
          run: 1,
          goesOn,
          nodes: new Map(parents.map((dependencies, at) => [`n${at}`, fresh(dependencies)])),
        };
        settle(model);
        try {
          await fc.asyncModelRun(() => ({ model, real: { backend, worker, taskId: task_id, stale: [] } }), commands);
          expect(await checkInvariants(backend.ctx.sql)).toEqual([]);
        } finally {
          // Nothing of this run may be claimed in the next.
          await backend.admin.cancelTask({ params: { task_id } });
        }
      }),
      { numRuns: 80 },
    );
  }, 120_000);
});
