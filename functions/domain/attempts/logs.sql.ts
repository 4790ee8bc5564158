import type { LogChunk, LogChunkSpec } from '../../../schema/log.ts';
import { cut } from '../page.sql.ts';
import { json, type Sql, type Tx } from '../ports/sql.ts';
import type { WorkerIdentity } from '../principal.ts';
import type { Fenced } from './attempts.sql.ts';

/** Stores chunks that are not stored yet; returns the number below which none is missing. */
export const appendLogs = async (sql: Tx, worker: WorkerIdentity, it: Fenced, chunks: readonly LogChunkSpec[]): Promise<number> => {
  await sql`
    insert into attempt_logs (organization_id, subtask_id, attempt, chunk, stream, content)
    select ${worker.organization_id}, ${it.subtask_id}, ${it.attempt}, chunk, stream, content
    from jsonb_to_recordset(${json(chunks)}) as c(chunk int, stream text, content text)
    order by chunk
    on conflict do nothing`;
  const [row] = await sql<[{ next_chunk: number }]>`
    select count(*) filter (where chunk = place)::int as next_chunk
    from (
      select chunk, row_number() over (order by chunk) - 1 as place
      from attempt_logs
      where subtask_id = ${it.subtask_id} and attempt = ${it.attempt}
    ) stored`;
  return row.next_chunk;
};

export const listLogs = (sql: Sql, subtaskId: string, attempt: number, afterChunk: number, limit: number) =>
  cut<LogChunk>(
    sql,
    sql`
      select attempt, chunk, stream, content, created_at, octet_length(content) as bytes
      from attempt_logs
      where subtask_id = ${subtaskId} and attempt = ${attempt} and chunk > ${afterChunk}
      order by chunk
      limit ${limit}`,
    sql`chunk`,
  );
