import { QUEUE_OF } from '../../../schema/message.ts';
import { QUEUE_LIMITS } from '../../../schema/queue.ts';
import type { ChangedTask, Changes, Hints } from '../ports/hints.ts';
import type { Log } from '../ports/log.ts';
import type { Queues } from '../ports/queues.ts';
import type { OutboxRow } from './outbox.sql.ts';

type Sending = { queues: Queues | null; log: Log };
export type Announcing = Sending & { hints: Pick<Hints, 'recordChanges'> };

const messageOf = ({ delay_ms, ...row }: OutboxRow) => ({
  id: String(row.outbox_id),
  body: JSON.stringify(row),
  ...(delay_ms > 0 ? { delaySeconds: Math.ceil(delay_ms / 1_000) } : {}),
});

/** Sends rows to their queues; returns those that a queue did not accept, that have no queue, or that are due later. */
export const sendOutbox = async <T extends OutboxRow>({ queues, log }: Sending, rows: readonly T[]): Promise<T[]> => {
  const unsent = await Promise.all(
    [...Map.groupBy(rows, (row) => QUEUE_OF[row.topic])].map(async ([queue, those]) => {
      const due = those.filter((row) => row.delay_ms <= QUEUE_LIMITS.longest_delay_seconds * 1_000);
      if (queue === null || queues === null || due.length === 0) return those;
      try {
        const failed = new Set(await queues.send(queue, due.map(messageOf)));
        return those.filter((row) => !due.includes(row) || failed.has(String(row.outbox_id)));
      } catch (error) {
        log('warn', 'queue.unavailable', { queue, error });
        return those;
      }
    }),
  );
  return unsent.flat();
};

/** The tasks that Redis may have cached; new and reopened tasks are left out, because they are not cached yet. */
const changedTasks = (outbox: readonly OutboxRow[]): ChangedTask[] =>
  outbox.flatMap((row) =>
    row.topic === 'events' && !row.payload.opens ? row.payload.ranges.map(([task_id, , last_seq]) => ({ task_id, last_seq })) : [],
  );

export type Announcement = {
  outbox: readonly OutboxRow[];
  /** If false, Redis is updated only when the messages are consumed. */
  updatesRedis?: boolean;
} & Partial<Pick<Changes, 'workers' | 'removed'>>;

/**
 * Runs after each commit: sends the outbox rows of the transaction, and updates Redis so that nobody reads older cached data. The relay
 * sends what can't be sent here. Never throws.
 */
export const announce = async (ctx: Announcing, announcement: Announcement): Promise<void> => {
  const { outbox, updatesRedis = true, workers = [], removed = [] } = announcement;
  const changes = { tasks: changedTasks(outbox), workers, removed };
  await Promise.all([sendOutbox(ctx, outbox), ...(updatesRedis ? [ctx.hints.recordChanges(changes)] : [])]);
};
