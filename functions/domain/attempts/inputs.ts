import { AppError } from '../../../schema/errors.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import type { Context } from '../context.ts';
import type { WorkerIdentity } from '../principal.ts';
import { refusal } from '../refusal.ts';
import * as rows from './inputs.sql.ts';

/** A parent's output with the download request of its artifact, for the worker that holds the child. */
export const get = async (ctx: Pick<Context, 'sql' | 'blobs'>, worker: WorkerIdentity, subtaskId: string, key: string) => {
  const code = await rows.checkHolder(ctx.sql, worker, subtaskId);
  if (code !== null) throw refusal(code);
  const found = await rows.findParent(ctx.sql, subtaskId, key);
  if (found === null) throw new AppError('subtask_not_found', `This subtask has no parent with the key ${key}`);
  const download =
    found.result_artifact_id === null ? null : await artifacts.download(ctx, worker.organization_id, found.result_artifact_id);
  return { ...found, included: true, download };
};
