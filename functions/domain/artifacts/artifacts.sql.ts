import type { Artifact, ArtifactSpec } from '../../../schema/artifact.ts';
import type { WorkerIdentity } from '../principal.ts';
import type { Sql } from '../ports/sql.ts';

const columns = (sql: Sql) => sql`artifact_id, task_id, subtask_id, attempt, name, content_type, size_bytes, sha256, status, created_at`;

export const findArtifact = async (sql: Sql, organizationId: string, artifactId: string): Promise<Artifact | null> => {
  const [artifact] = await sql<Artifact[]>`
    select ${columns(sql)} from artifacts where artifact_id = ${artifactId} and organization_id = ${organizationId}`;
  return artifact ?? null;
};

export const listArtifacts = (sql: Sql, organizationId: string, subtaskId: string): Promise<Artifact[]> => sql<Artifact[]>`
  select ${columns(sql)}
  from artifacts
  where subtask_id = ${subtaskId} and organization_id = ${organizationId}
  order by attempt desc, created_at
  limit 200`;

/** The number of files with other names that an attempt has announced. */
export const countOthers = async (
  sql: Sql,
  subtaskId: string,
  { attempt, name }: Pick<ArtifactSpec, 'attempt' | 'name'>,
): Promise<number> => {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from artifacts where subtask_id = ${subtaskId} and attempt = ${attempt} and name <> ${name}`;
  return row.count;
};

/** Stores the announcement, or finds an earlier one under this name; null when the requested id belongs to another file. */
export const insertArtifact = async (sql: Sql, worker: WorkerIdentity, subtaskId: string, spec: ArtifactSpec): Promise<Artifact | null> => {
  await sql`
    insert into artifacts (artifact_id, organization_id, task_id, subtask_id, attempt, name, content_type, size_bytes, sha256)
    select coalesce(${spec.artifact_id ?? null}::uuid, gen_random_uuid()), organization_id, task_id, subtask_id, ${spec.attempt}, ${spec.name}, ${spec.content_type}, ${spec.size_bytes}, ${spec.sha256}
    from subtasks
    where subtask_id = ${subtaskId} and organization_id = ${worker.organization_id}
    on conflict do nothing`;
  const [artifact] = await sql<Artifact[]>`
    select ${columns(sql)} from artifacts where subtask_id = ${subtaskId} and attempt = ${spec.attempt} and name = ${spec.name}`;
  return artifact ?? null;
};

export const markStored = async (sql: Sql, artifactId: string): Promise<void> => {
  await sql`update artifacts set status = 'stored', stored_at = clock_timestamp() where artifact_id = ${artifactId} and status = 'pending'`;
};
