import type { Message } from '../../../schema/message.ts';
import type { Sql, Tx } from '../ports/sql.ts';

/** A message that Postgres stores until it is received. It is sent so that it arrives `delay_ms` after its transaction. */
export type OutboxRow = Extract<Message, { outbox_id: number }> & { delay_ms: number };

/** The rows that the open transaction has written to the outbox so far. */
export const writtenOutbox = async (tx: Tx): Promise<OutboxRow[]> => {
  const [row] = await tx<[{ outbox: OutboxRow[] }]>`select written_outbox() as outbox`;
  return row.outbox;
};

/**
 * Takes the next `limit` rows after the id `after` that are due and were not sent, or were sent so long ago that they must be lost, and
 * postpones them: 30 s, doubled with each try, at most an hour. Two calls at the same time take different rows.
 */
export const takeDue = (sql: Sql, after: number, limit: number): Promise<OutboxRow[]> => sql<OutboxRow[]>`
  select outbox_id, organization_id, topic, payload, 0 as delay_ms, null as request_id from take_due(${after}, ${limit})`;

export const deleteOutbox = (sql: Sql, ids: readonly number[]) => sql`delete from outbox where outbox_id = any (${ids}::bigint[])`;

export const recordFailure = (sql: Sql, id: number, error: string) => sql`update outbox set last_error = ${error} where outbox_id = ${id}`;
