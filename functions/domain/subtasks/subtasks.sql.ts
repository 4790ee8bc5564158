import type { SubtaskStatus } from '../../../schema/states.ts';
import type { Subtask } from '../../../schema/task.ts';
import { type Counted, cut } from '../page.sql.ts';
import type { Sql, Statement } from '../ports/sql.ts';

const columns = (sql: Sql) => sql`
  subtask_id, task_id, key, kind, goal, tool, input, labels, dependencies, status, blocked_by, run_after, attempt, attempts, infra_attempts,
  retry, timeout_seconds, idle_timeout_seconds, first_event_timeout_seconds, verify, result_schema, worker_id, result, result_artifact_id, error, position, created_at, started_at, ended_at`;

export const listSubtasks = (
  sql: Sql,
  organizationId: string,
  taskId: string,
  { status, after, limit }: { status: SubtaskStatus | undefined; after: number; limit: number },
): Statement<Counted<Subtask>[]> =>
  cut<Subtask>(
    sql,
    sql`
      select ${columns(sql)}, result_bytes + octet_length(goal) + octet_length(input::text) + octet_length(verify::text)
        + coalesce(octet_length(result_schema::text), 0) as bytes
      from subtasks
      where task_id = ${taskId} and organization_id = ${organizationId} and position > ${after}
        ${status === undefined ? sql`` : sql`and status = ${status}`}
      order by position
      limit ${limit}`,
    sql`position`,
  );

export const findSubtask = async (sql: Sql, organizationId: string, subtaskId: string): Promise<Subtask | null> => {
  const [subtask] = await sql<Subtask[]>`
    select ${columns(sql)} from subtasks where subtask_id = ${subtaskId} and organization_id = ${organizationId}`;
  return subtask ?? null;
};
