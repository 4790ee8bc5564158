import { AppError } from '../../../schema/errors.ts';
import type { Explanation, Obstacle, Wait } from '../../../schema/explain.ts';
import type { Worker } from '../../../schema/worker.ts';
import type { Context } from '../context.ts';
import type { Caller } from '../principal.ts';
import { withPresence } from '../workers/workers.ts';
import * as rows from './explain.sql.ts';

const MOST_WORKERS = 200;

type Reason = { code: Obstacle; message: string };
type Waiting = Explanation['waits'][number];

/** The conditions of claim_subtasks.sql, one code each; and presence, because an offline worker does not claim. */
export const obstacles = (subtask: rows.Explained, worker: Worker): Reason[] => {
  const reasons: Reason[] = [];
  const add = (code: Obstacle, message: string) => reasons.push({ code, message });
  if (!worker.tools.includes(subtask.tool)) add('tool_missing', `it does not offer the tool ${subtask.tool}`);
  for (const [label, value] of Object.entries(subtask.labels))
    if (worker.labels[label] !== value) add('label_missing', `it does not have the label ${label}=${value}`);
  if (worker.owner_ids !== null && !worker.owner_ids.includes(subtask.owner_id))
    add('owner_not_allowed', 'it does not take subtasks of this owner');
  if (worker.mode === 'paused') add('worker_paused', 'it is paused');
  if (worker.mode === 'draining') add('worker_draining', 'it is draining: it finishes its running subtasks and claims no new ones');
  if (worker.status === 'offline') add('worker_offline', `it is offline; it was last seen at ${worker.last_seen_at}`);
  if (worker.running >= worker.slots) add('no_free_slot', `all of its slots are in use (${worker.slots})`);
  return reasons;
};

const wait = (code: Wait, message: string, subtaskIds?: string[]): Waiting =>
  subtaskIds === undefined ? { code, message } : { code, message, subtask_ids: subtaskIds };

const onlyBusy = (reasons: readonly Reason[]) => reasons.every((reason) => reason.code === 'no_free_slot');

const waitsOfReady = (subtask: rows.Explained, ahead: number, reasons: readonly Reason[][], isTruncated: boolean): Waiting[] => {
  const waits: Waiting[] = [];
  if (subtask.paused) waits.push(wait('task_paused', 'its task is paused'));
  if (subtask.waits_for_time) waits.push(wait('retry_time', `it will be retried at ${subtask.run_after}`));
  const nobody = isTruncated ? `none of the ${MOST_WORKERS} most recently seen workers may claim it` : 'no worker may claim it';
  if (!reasons.some(onlyBusy)) waits.push(wait('no_worker_qualifies', `${nobody}; see the obstacles of each worker`));
  else if (!reasons.some((list) => list.length === 0)) waits.push(wait('workers_busy', 'every worker that may claim it is busy'));
  if (ahead > 0) waits.push(wait('turn', `other subtasks that the same workers may claim go first: ${ahead}`));
  return waits.length > 0 ? waits : [wait('turn', 'it is next in the queue: the next claim of a worker takes it')];
};

const OTHER_WAITS = {
  claimed: ['in_progress', 'a worker has claimed it and is about to start it'],
  running: ['in_progress', 'a worker is carrying it out'],
  in_review: ['review', 'its result is being reviewed'],
  awaiting_input: ['input', 'it is waiting for an answer from a person'],
  awaiting_checkpoint: ['checkpoint', 'it is waiting for the decision of a person'],
  waiting_quota: ['quota', 'the quota of its tool is currently used up'],
  completed: ['ended', 'it has completed'],
  failed: ['ended', 'it failed; retry its task to run it again'],
  cancelled: ['ended', 'it was cancelled; retry its task to run it again'],
  skipped: ['ended', 'it was skipped because a parent failed; retry its task to run it again'],
} as const satisfies Record<string, readonly [Wait, string]>;

/** Explains what a subtask is waiting for and, for each worker, why it may or may not claim it. */
export const explain = async (
  ctx: Pick<Context, 'sql' | 'hints'>,
  who: Pick<Caller, 'organization_id'>,
  subtaskId: string,
): Promise<Explanation> => {
  const subtask = await rows.findExplained(ctx.sql, who.organization_id, subtaskId);
  if (subtask === null) throw new AppError('subtask_not_found', 'No subtask has this id');
  const found = await rows.listAllWorkers(ctx.sql, who.organization_id, MOST_WORKERS + 1);
  const workers = await withPresence(ctx, found.slice(0, MOST_WORKERS));
  const reasons = workers.map((worker) => obstacles(subtask, worker));
  const ahead = subtask.status === 'ready' ? await rows.countAhead(ctx.sql, subtaskId) : null;
  return {
    subtask_id: subtask.subtask_id,
    status: subtask.status,
    waits: await waitsOf(ctx, subtask, ahead, reasons, found.length > MOST_WORKERS),
    ahead,
    workers: workers.map((worker, at) => ({
      worker_id: worker.worker_id,
      name: worker.name,
      may_claim: reasons[at]?.length === 0,
      obstacles: reasons[at] ?? [],
    })),
    workers_truncated: found.length > MOST_WORKERS,
  };
};

const waitsOf = async (
  ctx: Pick<Context, 'sql'>,
  subtask: rows.Explained,
  ahead: number | null,
  reasons: Reason[][],
  isTruncated: boolean,
): Promise<Waiting[]> => {
  if (subtask.status === 'ready') return waitsOfReady(subtask, ahead ?? 0, reasons, isTruncated);
  if (subtask.status !== 'blocked') {
    const [code, message] = OTHER_WAITS[subtask.status];
    return [wait(code, message)];
  }
  const parents = await rows.openParents(ctx.sql, subtask.subtask_id);
  const waits = [wait('dependencies', `parents that have not completed: ${parents.count}`, parents.ids)];
  return subtask.paused ? [...waits, wait('task_paused', 'its task is paused')] : waits;
};
