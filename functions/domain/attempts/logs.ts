import { AppError } from '../../../schema/errors.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { Context } from '../context.ts';
import { goesOn } from '../page.ts';
import type { Caller, WorkerIdentity } from '../principal.ts';
import { refusal } from '../refusal.ts';
import { findSubtask } from '../subtasks/subtasks.sql.ts';
import { transact } from '../transact.ts';
import { attemptEnded, type Fenced, checkFence } from './attempts.sql.ts';
import * as rows from './logs.sql.ts';

type Logs = Pick<Context, 'sql'>;

export const list = async (
  ctx: Logs,
  who: Pick<Caller, 'organization_id'>,
  subtaskId: string,
  query: { attempt: number; after_chunk: number; limit: number },
) => {
  const subtask = await findSubtask(ctx.sql, who.organization_id, subtaskId);
  if (subtask === null) throw new AppError('subtask_not_found', 'No subtask has this id');
  const attempt = query.attempt || subtask.attempt;
  const ended = await attemptEnded(ctx.sql, subtaskId, attempt);
  const found = await rows.listLogs(ctx.sql, subtaskId, attempt, query.after_chunk, query.limit + 1);
  const more = goesOn(found, query.limit);
  return { attempt, items: found.slice(0, query.limit), more, complete: ended && !more };
};

export const append = (ctx: Logs, worker: WorkerIdentity, it: Fenced, chunks: readonly LogChunkSpec[]) =>
  transact(ctx.sql, async (tx) => {
    const code = await checkFence(tx, worker, it);
    if (code !== null) throw refusal(code === 'attempt_ended' ? 'lease_lost' : code);
    return { next_chunk: await rows.appendLogs(tx, worker, it, chunks) };
  });
