import type { Artifact, ArtifactSpec, Transfer } from '../../../schema/artifact.ts';
import { AppError } from '../../../schema/errors.ts';
import { type Fenced, judgeFence } from '../attempts/attempts.sql.ts';
import type { Context } from '../context.ts';
import type { WorkerIdentity } from '../principal.ts';
import type { Caller } from '../principal.ts';
import type { Sql } from '../ports/sql.ts';
import { findSubtask } from '../subtasks/subtasks.sql.ts';
import { commit } from '../outbox/outbox.ts';
import { lockTask, recordEvents } from '../tasks/tasks.sql.ts';
import { transact } from '../transact.ts';
import * as rows from './artifacts.sql.ts';

type Who = Pick<Caller, 'organization_id'>;
type Artifacts = Pick<Context, 'hints' | 'sql' | 'blobs' | 'queues' | 'log'>;

const PER_ATTEMPT = 200;
const missing = () => new AppError('artifact_not_found', 'There is no artifact with this id');

const guard = async (sql: Sql, worker: WorkerIdentity, fence: Fenced) => {
  const code = await judgeFence(sql, worker, fence);
  if (code === null) return;
  if (code === 'subtask_not_found') throw new AppError(code, 'There is no subtask with this id');
  if (code === 'worker_revoked') throw new AppError(code, 'This worker was removed; enrol it again');
  throw new AppError('lease_lost', 'The lease is no longer current: stop the work and send nothing more for this attempt');
};

/** Announces a file of an attempt. The same name and hash again answer the same artifact. */
export const announce = async (ctx: Artifacts, worker: WorkerIdentity, subtaskId: string, spec: ArtifactSpec) => {
  const artifact = await transact(ctx.sql, async (sql) => {
    await guard(sql, worker, { ...spec, subtask_id: subtaskId });
    if ((await rows.countOthers(sql, subtaskId, spec)) >= PER_ATTEMPT)
      throw new AppError('too_many', `An attempt leaves at most ${PER_ATTEMPT} artifacts; put the rest into an archive`);
    return rows.insertArtifact(sql, worker, subtaskId, spec);
  });
  if (artifact === null)
    throw new AppError('artifact_mismatch', 'This artifact_id belongs to another file; leave it out, or make a new one');
  if (artifact.sha256 !== spec.sha256 || artifact.size_bytes !== spec.size_bytes)
    throw new AppError('artifact_mismatch', `This attempt announced other bytes as ${spec.name} before; give the file another name`);
  const { size_bytes, sha256, content_type } = artifact;
  const upload = artifact.status === 'stored' ? null : await ctx.blobs.upload(artifact.artifact_id, { size_bytes, sha256, content_type });
  return { ...artifact, upload };
};

/** Marks a file as stored after a look at its bytes. */
export const confirm = async (ctx: Artifacts, worker: WorkerIdentity, fence: Fenced, artifactId: string): Promise<Artifact> => {
  const stored = await ctx.blobs.stat(artifactId);
  return commit(ctx, async (sql) => {
    const subtask = await findSubtask(sql, worker.organization_id, fence.subtask_id);
    if (subtask !== null) await lockTask(sql, worker.organization_id, subtask.task_id);
    await guard(sql, worker, fence);
    const artifact = await rows.findArtifact(sql, worker.organization_id, artifactId);
    if (artifact === null || artifact.subtask_id !== fence.subtask_id || artifact.attempt !== fence.attempt) throw missing();
    if (artifact.status === 'stored') return artifact;
    if (stored === null) throw new AppError('artifact_not_stored', 'Nothing was uploaded yet; PUT the bytes to upload.url first');
    if (stored.sha256 !== artifact.sha256 || stored.size_bytes !== artifact.size_bytes)
      throw new AppError('artifact_mismatch', 'The bytes that were uploaded are not those that were announced');
    await rows.markStored(sql, artifactId);
    const { task_id, subtask_id, name, size_bytes } = artifact;
    await recordEvents(sql, [
      {
        task_id,
        subtask_id,
        type: 'artifact.stored',
        message: `The file ${name} was stored`,
        data: { artifact_id: artifactId, name, size_bytes },
      },
    ]);
    return { ...artifact, status: 'stored' };
  });
};

export const list = async (ctx: Artifacts, who: Who, subtaskId: string) => {
  if ((await findSubtask(ctx.sql, who.organization_id, subtaskId)) === null)
    throw new AppError('subtask_not_found', 'There is no subtask with this id');
  return { items: await rows.listArtifacts(ctx.sql, who.organization_id, subtaskId) };
};

/** The request that fetches an artifact's bytes; null while they are not stored. */
export const download = async (
  ctx: Pick<Context, 'sql' | 'blobs'>,
  organizationId: string,
  artifactId: string,
): Promise<Transfer | null> => {
  const artifact = await rows.findArtifact(ctx.sql, organizationId, artifactId);
  return artifact === null || artifact.status === 'pending' ? null : ctx.blobs.download(artifactId, artifact);
};

export const get = async (ctx: Artifacts, who: Who, artifactId: string) => {
  const artifact = await rows.findArtifact(ctx.sql, who.organization_id, artifactId);
  if (artifact === null) throw missing();
  return { ...artifact, download: artifact.status === 'pending' ? null : await ctx.blobs.download(artifactId, artifact) };
};
