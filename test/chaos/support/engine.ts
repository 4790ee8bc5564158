import type { SQSEvent } from 'aws-lambda';
import { expect, onTestFinished } from 'vitest';
import type { Context } from '../../../functions/domain/context.ts';
import type { QueueName } from '../../../schema/queue.ts';
import type { Queues } from '../../../functions/domain/ports/queues.ts';
import { createHints } from '../../../functions/platform/hints.ts';
import { keys } from '../../../functions/platform/hints/redis-keys.ts';
import { hint, type RedisClient } from '../../../functions/platform/redis.ts';
import { consume } from '../../../functions/queue/consume.ts';
import { tick } from '../../../functions/schedule/tick.ts';
import type { Handler } from '../../../local/lambda.ts';
import { every } from '../../../local/scheduler.ts';
import { backendForTest } from '../../support/backend.ts';
import { checkInvariants } from '../../support/invariants.ts';
import { until } from '../../support/processes.ts';
import { startBroker } from './broker.ts';
import { type Disturb, enrolCrew, TOOLS } from './crew.ts';

const TASKS = 6;
const MIDDLE = 18;
const TOTAL = TASKS * (MIDDLE + 2);
const TICK_MS = 200;
/** The time limit for the queues in Redis to match those in Postgres. */
const REBUILT_MS = 30_000;
/** Longer than a minute, after which a message that was lost twice is sent a third time. */
const DRAINED_MS = 100_000;
const POISON = 'no JSON';

type Faults = {
  redis: RedisClient;
  send?: (send: Queues['send']) => Queues['send'];
  handle?: (ctx: Context, queue: QueueName) => Handler<SQSEvent>;
  /** Whether each request runs as in a process of its own, which can be killed without the others. */
  isServerless?: boolean;
};

const middle = Array.from({ length: MIDDLE }, (_, n) => `m${n}`);
const DAG = {
  goal: 'fan out and in',
  subtasks: [
    { key: 'first', goal: 'x' },
    ...middle.map((key) => ({ key, goal: 'x', dependencies: ['first'] })),
    { key: 'last', goal: 'x', dependencies: middle },
  ],
};

/** The platform in this process with an SQS server, the scheduler, 120 subtasks and workers; tests inject faults at chosen moments. */
export const startEngine = async ({ redis, send = (it) => it, handle = consume, isServerless = false }: Faults) => {
  const broker = await startBroker();
  const queues = { ...broker.queues, send: send(broker.queues.send) };
  onTestFinished(() => broker.stop());
  const backend = await backendForTest({ queues, redis, pool: 8, isServerless });
  const { ctx, admin } = backend;
  const { sql } = ctx;
  broker.deliverTo({ subtasks: handle(ctx, 'subtasks'), events: handle(ctx, 'events') });
  const clock = every(
    TICK_MS,
    () => tick(ctx),
    (error) => backend.logged.push({ event: 'tick.failed', fields: { error } }),
  );
  onTestFinished(() => clock.stop());
  const crew = await enrolCrew(backend);
  for (let n = 0; n < TASKS; n++) await admin.ok.submitTask({ body: DAG });
  const [{ organization_id }] = await sql<[{ organization_id: string }]>`select organization_id from organizations`;

  const waiting = async () => {
    const rows = await sql<{ subtask_id: string }[]>`select subtask_id from queue_entries order by subtask_id::text`;
    return rows.map((row) => row.subtask_id);
  };
  const inProgress = async () => {
    const rows = await sql<{ subtask_id: string }[]>`select subtask_id from attempts where ended_at is null order by subtask_id::text`;
    return rows.map((row) => row.subtask_id);
  };
  /** Reads through separate hints, so that these reads do not affect the circuit breaker of the backend. */
  const { hints } = createHints(redis);
  const isRebuilt = async () => {
    const ready = await hints.propose(organization_id, TOOLS, 1_000);
    const held = await hint(redis.smembers(keys.inProgress(organization_id)), null);
    return same(ready, await waiting()) && same(held, await inProgress());
  };
  const expectRebuilt = () => until('the queues in Redis to match those in Postgres', isRebuilt, REBUILT_MS);

  return {
    backend,
    broker,
    redis,
    workTo: (count: number, disturb?: Disturb) => crew.work({ isEnough: () => crew.completed() >= count, disturb }),
    poison: () => broker.queues.send('events', [{ id: 'poison', body: POISON }]),
    /** Call it while much work is left and no worker runs. */
    expectQueuesRebuilt: async () => {
      expect(TOTAL - crew.completed()).toBeGreaterThanOrEqual(50);
      expect((await waiting()).length).toBeGreaterThan(0);
      await expectRebuilt();
    },
    /** Completes all work, then checks: every task has ended, nothing was completed twice, the outbox is empty, and only the poison message is a dead letter. */
    expectSoundEnd: async (disturb?: Disturb) => {
      const isOpen = async () => (await sql`select from tasks where ended_at is null`).length > 0;
      let ended = false;
      const isEnough = async () => (ended = !(await isOpen()));
      await crew.work({ isEnough: () => ended, disturb: async () => [await disturb?.(), await isEnough()] });
      const [...ends] = await sql<{ status: string; completed_count: number; tasks: number }[]>`
        select status, completed_count, count(*)::int as tasks from tasks group by status, completed_count`;
      expect(ends).toEqual([{ status: 'completed', completed_count: MIDDLE + 2, tasks: TASKS }]);
      expect(await checkInvariants(sql)).toEqual([]);
      await until('the outbox to drain', async () => (await sql`select from outbox`).length === 0, DRAINED_MS);
      await expectRebuilt();
      const dead = async () =>
        (await Promise.all([broker.queues.listDead('events'), broker.queues.listDead('subtasks')])).flatMap((it) => it.letters);
      await until('the poison message to be a dead letter', async () => (await dead()).length > 0, DRAINED_MS);
      // A handler that is killed while it moves the message aside may move it twice.
      expect(new Set((await dead()).map((letter) => letter.body))).toEqual(new Set([POISON]));
    },
  };
};

const same = (some: readonly string[] | null, others: readonly string[]) =>
  some !== null && some.length === others.length && some.toSorted().every((id, at) => id === others[at]);
