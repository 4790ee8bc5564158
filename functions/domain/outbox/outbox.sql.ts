import type { Sql } from '../sql.ts';

/** What leaves Postgres, by topic. */
export type Payloads = {
  /** Events of tasks: `[task_id, first seq, last seq]` each; `opens` when they open these tasks, or open them again. */
  events: { ranges: [taskId: string, from: number, to: number][]; opens?: true };
  /** Subtasks whose place in the queue may have changed. */
  ready: { subtask_ids: string[] };
  /** A worker came, changed or went. */
  worker: { worker_id: string };
  'blob.remove': { key: string };
  /** Some lease or time limit may be over. Never stored: the clock sends it to itself. */
  overdue: object;
  /** Redis may not know that there is something to do. Never stored either. */
  wake: object;
};
export type Topic = keyof Payloads;
export type Left = {
  [T in Topic]: { outbox_id: number; organization_id: string; topic: T; payload: Payloads[T]; delay_ms: number; request_id: string | null };
}[Topic];
/** What the open transaction has left so far. */
export const leftInOutbox = async (sql: Sql): Promise<Left[]> => {
  const [row] = await sql<[{ left: Left[] }]>`select left_in_outbox() as left`;
  return row.left;
};

/**
 * Takes what is due and was not sent, or was sent so long ago that it must be lost, and puts it off: 30 s, doubled with each try, at
 * most an hour. Two at once take different rows.
 */
export const takeDue = (sql: Sql, limit: number): Promise<Left[]> => sql<Left[]>`
  update outbox o
  set tries = o.tries + 1,
    available_at = clock_timestamp() + make_interval(secs => least(3600, 30 * 2 ^ least(o.tries, 12)) * (0.5 + random() / 2))
  from (
    select outbox_id
    from outbox
    where available_at <= clock_timestamp()
    order by outbox_id
    limit ${limit}
    for update skip locked
  ) due
  where o.outbox_id = due.outbox_id
  returning o.outbox_id, o.organization_id, o.topic, o.payload, 0 as delay_ms, null as request_id`;

export const deleteOutbox = (sql: Sql, ids: readonly number[]) => sql`delete from outbox where outbox_id = any (${ids}::bigint[])`;

export const noteFailure = (sql: Sql, id: number, error: string) => sql`update outbox set last_error = ${error} where outbox_id = ${id}`;
