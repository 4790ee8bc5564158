import type { Context } from '../context.ts';
import type { ChangedTask } from '../ports/hints.ts';
import type { QueueName } from '../ports/queues.ts';
import type { Sql } from '../ports/sql.ts';
import { isPool, transact } from '../transact.ts';
import { type Left, leftInOutbox, type Topic } from './outbox.sql.ts';

type Outbox = Pick<Context, 'queues' | 'log'>;
type Announcing = Outbox & Pick<Context, 'hints'>;
/** Tells Redis that these tasks have changed, so that nobody reads what was cached before. */
type Note = (changed: readonly ChangedTask[]) => Promise<unknown>;

/** Topics that go through a queue; the relay carries the others out by itself. */
const QUEUE_OF: Partial<Record<Topic, QueueName>> = { events: 'events', worker: 'events', ready: 'subtasks' };
/** The longest that SQS holds a message back. */
const LONGEST_DELAY_MS = 900_000;

const message = ({ delay_ms, ...row }: Left) => ({
  id: String(row.outbox_id),
  body: JSON.stringify(row),
  ...(delay_ms > 0 ? { delaySeconds: Math.ceil(delay_ms / 1_000) } : {}),
});

/** Sends what has a queue; answers what was not taken, or may not be sent yet. */
export const sendLeft = async <T extends Left>({ queues, log }: Outbox, rows: readonly T[]): Promise<T[]> => {
  const unsent = await Promise.all(
    [...Map.groupBy(rows, (row) => QUEUE_OF[row.topic])].map(async ([queue, those]) => {
      const due = those.filter((row) => row.delay_ms <= LONGEST_DELAY_MS);
      if (queue === undefined || queues === null || due.length === 0) return those;
      try {
        const failed = new Set(await queues.send(queue, due.map(message)));
        return those.filter((row) => !due.includes(row) || failed.has(String(row.outbox_id)));
      } catch (error) {
        log('warn', 'queue.away', { queue, error });
        return those;
      }
    }),
  );
  return unsent.flat();
};

/** Nothing is cached of a task that was not open before. */
const changedTasks = (left: readonly Left[]): ChangedTask[] =>
  left.flatMap((row) =>
    row.topic === 'events' && !row.payload.opens ? row.payload.ranges.map(([task_id, , last_seq]) => ({ task_id, last_seq })) : [],
  );

/** Sends what a transaction left, once it is committed; what can't be sent goes by the relay. Throws nothing. */
export const announce = async (ctx: Announcing, left: readonly Left[], note: Note = ctx.hints.outdate): Promise<void> => {
  if (left.length > 0) await Promise.all([sendLeft(ctx, left), note(changedTasks(left))]);
};

/** Runs `work` in one transaction and announces what it left; within an open transaction, that one announces. */
export const commit = async <T>(ctx: Announcing & { sql: Sql }, work: (sql: Sql) => Promise<T>, note?: Note): Promise<T> => {
  if (!isPool(ctx.sql)) return work(ctx.sql);
  const { answer, left } = await transact(ctx.sql, async (sql) => ({ answer: await work(sql), left: await leftInOutbox(sql) }));
  await announce(ctx, left, note);
  return answer;
};
