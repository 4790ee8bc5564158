import type { SubtaskStatus } from '../../../schema/states.ts';
import { Subtask, WorkFields } from '../../../schema/task.ts';
import { type Counted, cut } from '../page.sql.ts';
import type { Sql, Statement } from '../ports/sql.ts';

/** The columns that the contract returns, under its names. */
const columns = (sql: Sql) => sql.unsafe(Object.keys(Subtask.shape).join(', '));

/** The size of a row in a page, without its short fields. */
const bytes = (sql: Sql) => {
  const texts = ['goal', 'input', ...Object.keys(WorkFields)].map((name) => `coalesce(octet_length(${name}::text), 0)`);
  return sql.unsafe(['result_bytes', ...texts].join(' + '));
};

export const listSubtasks = (
  sql: Sql,
  organizationId: string,
  taskId: string,
  { status, after, limit }: { status: SubtaskStatus | undefined; after: number; limit: number },
): Statement<Counted<Subtask>[]> =>
  cut<Subtask>(
    sql,
    sql`
      select ${columns(sql)}, ${bytes(sql)} as bytes
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
