import type { InputValue } from '../../../schema/attempt.ts';
import type { Sql } from '../ports/sql.ts';
import type { WorkerIdentity } from '../principal.ts';

export type ParentOutput = Omit<InputValue, 'included'>;

/** The error code when a worker may not read the inputs of a subtask; null when it currently holds the subtask. */
export const checkHolder = async (sql: Sql, worker: WorkerIdentity, subtaskId: string): Promise<string | null> => {
  const [row] = await sql<[{ code: string | null }]>`
    select case
      when w.worker_id is null then 'worker_revoked'
      when s.subtask_id is null then 'subtask_not_found'
      when s.worker_id is distinct from w.worker_id or s.lease_token is null then 'lease_lost'
    end as code
    from (values (1)) as always
    left join workers w on w.worker_id = ${worker.worker_id} and w.organization_id = ${worker.organization_id} and w.deleted_at is null
    left join subtasks s on s.subtask_id = ${subtaskId} and s.organization_id = ${worker.organization_id}`;
  return row.code;
};

export const findParent = async (sql: Sql, subtaskId: string, key: string): Promise<ParentOutput | null> => {
  const [parent] = await sql<ParentOutput[]>`
    select p.subtask_id, p.status, p.result, p.result_artifact_id
    from subtask_edges e
    join subtasks p on p.subtask_id = e.parent_id
    where e.child_id = ${subtaskId} and p.key = ${key}`;
  return parent ?? null;
};
