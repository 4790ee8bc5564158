import type { Artifact, ArtifactSpec, Transfer } from '../../../schema/artifact.ts';
import { AppError } from '../../../schema/errors.ts';
import { type Fenced, checkFence } from '../attempts/attempts.sql.ts';
import type { Context } from '../context.ts';
import type { WorkerIdentity } from '../principal.ts';
import type { Caller } from '../principal.ts';
import type { Tx } from '../ports/sql.ts';
import { findSubtask } from '../subtasks/subtasks.sql.ts';
import { lockTask, recordEvents } from '../tasks/tasks.sql.ts';
import { transact } from '../transact.ts';
import { commit } from '../unit-of-work.ts';
import * as rows from './artifacts.sql.ts';

type Who = Pick<Caller, 'organization_id'>;
type Artifacts = Pick<Context, 'hints' | 'sql' | 'env' | 'blobs' | 'queues' | 'log'>;

const PER_ATTEMPT = 200;
const missing = () => new AppError('artifact_not_found', 'No artifact has this id');

const guard = async (sql: Tx, worker: WorkerIdentity, fence: Fenced) => {
  const code = await checkFence(sql, worker, fence);
  if (code === null) return;
  if (code === 'subtask_not_found') throw new AppError(code, 'No subtask has this id');
  if (code === 'worker_revoked') throw new AppError(code, 'This worker was removed; enrol it again');
  throw new AppError('lease_lost', 'The lease is no longer valid: stop the work and send nothing more for this attempt');
};

/** Announces a file of an attempt. A repeated name with the same hash returns the same artifact. */
export const announce = async (ctx: Artifacts, worker: WorkerIdentity, subtaskId: string, spec: ArtifactSpec) => {
  const artifact = await transact(ctx.sql, async (tx) => {
    await guard(tx, worker, { ...spec, subtask_id: subtaskId });
    if ((await rows.countOthers(tx, subtaskId, spec)) >= PER_ATTEMPT)
      throw new AppError('too_many', `An attempt can have at most ${PER_ATTEMPT} artifacts; pack further files into an archive`);
    return rows.insertArtifact(tx, worker, subtaskId, spec);
  });
  if (artifact === null)
    throw new AppError('artifact_mismatch', 'This artifact_id belongs to another artifact; omit it or choose a new one');
  if (artifact.sha256 !== spec.sha256 || artifact.size_bytes !== spec.size_bytes)
    throw new AppError(
      'artifact_mismatch',
      `This attempt already has an artifact ${spec.name} with a different size or hash; choose another name`,
    );
  const { size_bytes, sha256, content_type } = artifact;
  const upload = artifact.status === 'stored' ? null : await ctx.blobs.upload(artifact.artifact_id, { size_bytes, sha256, content_type });
  return { ...artifact, upload };
};

/** Marks a file as stored after checking the size and hash of the uploaded bytes. */
export const confirm = async (ctx: Artifacts, worker: WorkerIdentity, fence: Fenced, artifactId: string): Promise<Artifact> => {
  const stored = await ctx.blobs.stat(artifactId);
  return commit(ctx, async ({ tx }) => {
    const subtask = await findSubtask(tx, worker.organization_id, fence.subtask_id);
    if (subtask !== null) await lockTask(tx, worker.organization_id, subtask.task_id);
    await guard(tx, worker, fence);
    const artifact = await rows.findArtifact(tx, worker.organization_id, artifactId);
    if (artifact === null || artifact.subtask_id !== fence.subtask_id || artifact.attempt !== fence.attempt) throw missing();
    if (artifact.status === 'stored') return artifact;
    if (stored === null) throw new AppError('artifact_not_stored', 'Nothing has been uploaded yet; PUT the bytes to upload.url first');
    if (stored.sha256 !== artifact.sha256 || stored.size_bytes !== artifact.size_bytes)
      throw new AppError('artifact_mismatch', 'The uploaded bytes do not match the declared size or hash; upload them again');
    await rows.markStored(tx, artifactId);
    const { task_id, subtask_id, name, size_bytes } = artifact;
    await recordEvents(tx, [
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
    throw new AppError('subtask_not_found', 'No subtask has this id');
  return { items: await rows.listArtifacts(ctx.sql, who.organization_id, subtaskId) };
};

/** The request that downloads an artifact's bytes; null while they are not stored. */
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
