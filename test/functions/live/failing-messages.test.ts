import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LiveEvent } from '../../../functions/domain/ports/hints.ts';
import type { QueueName } from '../../../schema/queue.ts';
import type { QueueMessage } from '../../../functions/domain/ports/queues.ts';
import type { Sql } from '../../../functions/domain/ports/sql.ts';
import { createContext } from '../../../functions/platform/context.ts';
import { ConnectionLost } from '../../../functions/platform/pool.ts';
import { consume } from '../../../functions/queue/consume.ts';
import { sqsEvent } from '../../../local/queues/event.ts';
import { type Backend, backendForTest } from '../../support/backend.ts';
import { freePort } from '../../support/processes.ts';
import { beforeStatements } from '../../support/statements.ts';

const BATCH = 10;
/** After this many receives, SQS itself would move a message, without a reason. */
const LAST_RECEIVE = 4;

/** Queues that record which messages are sent and buried. */
const keptQueues = () => {
  const sent: [QueueName, QueueMessage][] = [];
  const buried: { queue: QueueName; body: string; reason: string }[] = [];
  return {
    sent,
    buried,
    queues: {
      send: async (queue: QueueName, messages: readonly QueueMessage[]) => {
        for (const message of messages) sent.push([queue, message]);
        return [];
      },
      bury: async (queue: QueueName, body: string, reason: string) => void buried.push({ queue, body, reason }),
      listDead: async () => ({ letters: [], total: 0 }),
      redrive: async () => 0,
    },
  };
};

const batchOf = (bodies: readonly string[], receives: number): SQSEvent =>
  sqsEvent(
    bodies.map((Body, at) => ({ MessageId: `m${at}`, Body, Attributes: { ApproximateReceiveCount: String(receives) } })),
    'arn:aws:sqs:local:0:events',
  );

const idsOf = ({ batchItemFailures }: SQSBatchResponse) => batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);

/** The outbox row of a message. */
const rowOf = (body: string) => (JSON.parse(body) as { outbox_id: number }).outbox_id;

const rowsLeft = async ({ ctx }: Backend) => {
  const rows = await ctx.sql<{ outbox_id: number }[]>`select outbox_id from outbox where topic = 'events' order by outbox_id`;
  return rows.map((row) => row.outbox_id);
};

/** The messages of ten submitted tasks, as one batch of their queue. */
const tenMessages = async () => {
  const { queues, sent, buried } = keptQueues();
  const backend = await backendForTest({ queues });
  for (let n = 0; n < BATCH; n++) await backend.admin.ok.submitTask({ body: { goal: 'x' } });
  const bodies = sent.filter(([queue]) => queue === 'events').map(([, { body }]) => body);
  expect(bodies).toHaveLength(BATCH);
  return { backend, bodies, buried, queues };
};

/** Makes the work of a message fail in the database, as a bug in a statement would. */
const breakRow = (sql: Sql, outboxId: number) =>
  sql.unsafe(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'this row is poison'; end $$;
    create trigger poison before delete on outbox for each row when (old.outbox_id = ${outboxId}) execute function refuse()`);

/** A context that records which events were processed. */
const watched = ({ ctx }: Backend) => {
  const done: string[] = [];
  const follow = async (events: readonly LiveEvent[]) => {
    done.push(...events.map(({ task_id, seq }) => `${task_id} ${seq}`));
    return true;
  };
  return { done, ctx: { ...ctx, hints: { ...ctx.hints, follow } } };
};

describe('a well-formed message whose work fails', () => {
  it('is received again alone until its last receive, and then becomes a dead letter with the reason', async () => {
    const { backend, bodies, buried } = await tenMessages();
    const { ctx, done } = watched(backend);
    const poison = bodies[3] ?? '';
    await breakRow(backend.ctx.sql, rowOf(poison));

    const first = await consume(ctx, 'events')(batchOf(bodies, 1));

    expect(idsOf(first)).toEqual(['m3']);
    expect(new Set(done).size).toBe(BATCH - 1);
    expect(done).toHaveLength(BATCH - 1);
    expect(await rowsLeft(backend)).toEqual([rowOf(poison)]);
    for (let receives = 2; receives < LAST_RECEIVE; receives++)
      expect(idsOf(await consume(ctx, 'events')(batchOf([poison], receives)))).toEqual(['m0']);
    expect(buried).toEqual([]);
    expect(idsOf(await consume(ctx, 'events')(batchOf([poison], LAST_RECEIVE)))).toEqual([]);
    expect(buried).toEqual([{ queue: 'events', body: poison, reason: 'this row is poison' }]);
    expect(done).toHaveLength(BATCH - 1);
  });

  it('becomes a dead letter at its last receive, and the other nine messages of its batch are processed once', async () => {
    const { backend, bodies, buried } = await tenMessages();
    const { ctx, done } = watched(backend);
    const poison = bodies[6] ?? '';
    await breakRow(backend.ctx.sql, rowOf(poison));

    const answer = await consume(ctx, 'events')(batchOf(bodies, LAST_RECEIVE));

    expect(idsOf(answer)).toEqual([]);
    expect(buried).toEqual([{ queue: 'events', body: poison, reason: 'this row is poison' }]);
    expect(new Set(done).size).toBe(BATCH - 1);
    expect(done).toHaveLength(BATCH - 1);
  });

  it('is received again if it cannot be moved to the dead letters either', async () => {
    const { backend, bodies, queues } = await tenMessages();
    const [poison = ''] = bodies;
    await breakRow(backend.ctx.sql, rowOf(poison));
    const ctx = { ...backend.ctx, queues: { ...queues, bury: () => Promise.reject(new Error('the queue is out of reach')) } };

    expect(idsOf(await consume(ctx, 'events')(batchOf([poison], LAST_RECEIVE)))).toEqual(['m0']);
  });
});

describe('a message that finds no database', () => {
  it('never becomes a dead letter, however often it is received: it is dropped, and its row stays in the outbox', async () => {
    const { backend, bodies, buried, queues } = await tenMessages();
    const env = { ...backend.ctx.env, DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/none` };
    const ctx = createContext(env, { queues, log: () => {} });
    onTestFinished(() => ctx.close());

    for (let receives = 1; receives <= LAST_RECEIVE + 1; receives++)
      expect(idsOf(await consume(ctx, 'events')(batchOf(bodies, receives)))).toEqual([]);

    expect(buried).toEqual([]);
    expect(await rowsLeft(backend)).toEqual(bodies.map(rowOf));
  });

  it('takes effect or stays in the outbox, at whichever statement the database becomes unavailable', async () => {
    const { backend, bodies, queues } = await tenMessages();
    const { done, ctx } = watched(backend);

    for (const [at, body] of bodies.entries()) {
      let sent = 0;
      const sql = beforeStatements(ctx.sql, async () => {
        if (++sent > at) throw new ConnectionLost('the database became unavailable');
      });
      await consume({ ...ctx, sql, queues, log: () => {} }, 'events')(batchOf([body], 1));

      const { payload } = JSON.parse(body) as { payload: { ranges: [string, number, number][] } };
      const isDone = payload.ranges.every(([task_id, , last]) => done.includes(`${task_id} ${last}`));
      expect([at, isDone]).toEqual([at, !(await rowsLeft(backend)).includes(rowOf(body))]);
    }
    expect(done.length).toBeGreaterThan(0);
  });
});
