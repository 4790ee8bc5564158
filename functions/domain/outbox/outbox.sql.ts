import type { Sql } from '../ports/sql.ts';

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
 * Takes the next `limit` rows behind `after` that are due and were not sent, or were sent so long ago that they must be lost, and
 * postpones them: 30 s, doubled with each try, at most an hour. Two callers at once take different rows.
 */
export const takeDue = (sql: Sql, after: number, limit: number): Promise<Left[]> => sql<Left[]>`
  select outbox_id, organization_id, topic, payload, 0 as delay_ms, null as request_id from take_due(${after}, ${limit})`;

export const deleteOutbox = (sql: Sql, ids: readonly number[]) => sql`delete from outbox where outbox_id = any (${ids}::bigint[])`;

export const noteFailure = (sql: Sql, id: number, error: string) => sql`update outbox set last_error = ${error} where outbox_id = ${id}`;
