import { AppError, type ErrorCode, ERRORS } from '../../../schema/errors.ts';
import { jsonBytes } from '../../../schema/json.ts';
import type { LogChunkSpec } from '../../../schema/log.ts';
import type { SubtaskStatus } from '../../../schema/states.ts';
import type { CompleteSpec, FailSpec } from '../../../schema/worker.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import { jsonHash } from '../canonical.ts';
import type { Context } from '../context.ts';
import type { WorkerIdentity } from '../principal.ts';
import { announce } from '../outbox/outbox.ts';
import { goesOn, numberCursor, pageOf } from '../page.ts';
import type { Caller } from '../principal.ts';
import { findTask } from '../tasks/tasks.sql.ts';
import { repeating, transact } from '../transact.ts';
import * as rows from './subtasks.sql.ts';

type Who = Pick<Caller, 'organization_id'>;
type Subtasks = Pick<Context, 'sql' | 'queues' | 'hints' | 'log'>;
type Completing = Subtasks & Pick<Context, 'env' | 'isAway' | 'advance'>;

const missing = () => new AppError('subtask_not_found', 'There is no subtask with this id');

/** The error that a transition in SQL answered. */
export const refusal = (code: string): AppError => new AppError(code as ErrorCode, ERRORS[code as ErrorCode][1]);

const accepted = <T extends object>(answer: T): Exclude<T, { error: string }> => {
  if ('error' in answer) throw refusal(String(answer.error));
  return answer as Exclude<T, { error: string }>;
};

export const list = async (
  ctx: Pick<Context, 'sql' | 'reads'>,
  who: Who,
  taskId: string,
  { status, cursor, limit }: { status?: SubtaskStatus | undefined; cursor?: string | undefined; limit: number },
) => {
  const asked = { status, after: numberCursor(cursor), limit: limit + 1 };
  const found = await ctx.reads(['subtasks', who.organization_id, taskId, asked], (sql) =>
    rows.listSubtasks(sql, who.organization_id, taskId, asked),
  );
  if (found.length === 0 && (await findTask(ctx.sql, who.organization_id, taskId)) === null)
    throw new AppError('task_not_found', 'There is no task with this id');
  return pageOf(found, limit, (last) => [last.position]);
};

export const get = async (ctx: Subtasks, who: Who, subtaskId: string) => {
  const subtask = await rows.findSubtask(ctx.sql, who.organization_id, subtaskId);
  if (subtask === null) throw missing();
  return { ...subtask, attempt_list: await rows.listAttempts(ctx.sql, subtaskId) };
};

export const logs = async (ctx: Subtasks, who: Who, subtaskId: string, query: { attempt: number; after_chunk: number; limit: number }) => {
  const subtask = await rows.findSubtask(ctx.sql, who.organization_id, subtaskId);
  if (subtask === null) throw missing();
  const attempt = query.attempt || subtask.attempt;
  const ended = await rows.attemptEnded(ctx.sql, subtaskId, attempt);
  const found = await rows.listLogs(ctx.sql, subtaskId, attempt, query.after_chunk, query.limit + 1);
  const more = goesOn(found, query.limit);
  return { attempt, items: found.slice(0, query.limit), more, complete: ended && !more };
};

export const start = async (ctx: Subtasks, worker: WorkerIdentity, it: rows.Fenced) => {
  const { answer, left } = await repeating(() => rows.startSubtask(ctx.sql, worker, it));
  await announce(ctx, left);
  return { subtask_id: it.subtask_id, status: accepted(answer).status };
};

/** What complete_and_claim.sql takes of a completion. */
export const completion = (subtaskId: string, spec: CompleteSpec): rows.Completion => ({
  subtask_id: subtaskId,
  lease_token: spec.lease_token,
  attempt: spec.attempt,
  result: spec.result ?? null,
  result_bytes: spec.result === undefined ? 0 : jsonBytes(spec.result),
  result_artifact_id: spec.result_artifact_id ?? null,
  usage: spec.usage ?? null,
  hash: jsonHash({ result: spec.result ?? null, result_artifact_id: spec.result_artifact_id ?? null }),
});

export const complete = async (ctx: Completing, worker: WorkerIdentity, subtaskId: string, spec: CompleteSpec) => {
  const { results } = await ctx.advance({ ctx, worker, completions: [completion(subtaskId, spec)], claim: null });
  return accepted(results[0] ?? { error: 'subtask_not_found' });
};

const end = async (ctx: Subtasks, worker: WorkerIdentity, ending: rows.Ending) => {
  const { answer, left } = await repeating(() => rows.failSubtask(ctx.sql, worker, ending));
  await announce(ctx, left);
  return { subtask_id: ending.subtask_id, ...accepted(answer) };
};

export const fail = (ctx: Subtasks, worker: WorkerIdentity, subtaskId: string, spec: FailSpec) => {
  const { lease_token, attempt, failure_class, message } = spec;
  const hash = jsonHash({ failure_class, message });
  return end(ctx, worker, {
    subtask_id: subtaskId,
    lease_token,
    attempt,
    outcome: 'failed',
    failure_class,
    message,
    usage: spec.usage ?? null,
    hash,
  });
};

export const release = (ctx: Subtasks, worker: WorkerIdentity, it: rows.Fenced & { reason: string }) => {
  const { reason, ...fence } = it;
  const message = reason || 'its worker gave it back';
  return end(ctx, worker, { ...fence, outcome: 'released', failure_class: 'released', message, usage: null, hash: 'released' });
};

export const appendLogs = (ctx: Subtasks, worker: WorkerIdentity, it: rows.Fenced, chunks: readonly LogChunkSpec[]) =>
  transact(ctx.sql, async (sql) => {
    const code = await rows.judgeFence(sql, worker, it);
    if (code !== null) throw refusal(code === 'attempt_ended' ? 'lease_lost' : code);
    return { next_chunk: await rows.appendLogs(sql, worker, it, chunks) };
  });

/** A parent's output with the way to its bytes, for the worker that holds the child. */
export const input = async (ctx: Pick<Context, 'sql' | 'blobs'>, worker: WorkerIdentity, subtaskId: string, key: string) => {
  const code = await rows.judgeHolder(ctx.sql, worker, subtaskId);
  if (code !== null) throw refusal(code);
  const found = await rows.findParent(ctx.sql, subtaskId, key);
  if (found === null) throw new AppError('subtask_not_found', `This subtask has no parent with the key ${key}`);
  const download =
    found.result_artifact_id === null ? null : await artifacts.download(ctx, worker.organization_id, found.result_artifact_id);
  return { ...found, included: true, download };
};
