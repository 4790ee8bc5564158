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

/** The hard rules of claim_subtasks.sql, one code each; presence is told too, since an offline worker will not ask. */
export const obstacles = (subtask: rows.Explained, worker: Worker): Reason[] => {
  const reasons: Reason[] = [];
  const add = (code: Obstacle, message: string) => reasons.push({ code, message });
  if (!worker.tools.includes(subtask.tool)) add('tool_missing', `it does not offer ${subtask.tool}`);
  for (const [label, value] of Object.entries(subtask.labels))
    if (worker.labels[label] !== value) add('label_missing', `it lacks the label ${label}=${value}`);
  if (worker.owner_ids !== null && !worker.owner_ids.includes(subtask.owner_id))
    add('owner_not_allowed', "it does not take this owner's subtasks");
  if (worker.mode === 'paused') add('worker_paused', 'it is paused');
  if (worker.mode === 'draining') add('worker_draining', 'it is draining: it finishes what it has and takes nothing new');
  if (worker.status === 'offline') add('worker_offline', `it was last heard of at ${worker.last_seen_at}`);
  if (worker.running >= worker.slots) add('no_free_slot', `its ${worker.slots} slots are in use`);
  return reasons;
};

const wait = (code: Wait, message: string, subtaskIds?: string[]): Waiting =>
  subtaskIds === undefined ? { code, message } : { code, message, subtask_ids: subtaskIds };

const onlyBusy = (reasons: readonly Reason[]) => reasons.every((reason) => reason.code === 'no_free_slot');

const waitsOfReady = (subtask: rows.Explained, ahead: number, reasons: readonly Reason[][], isTruncated: boolean): Waiting[] => {
  const waits: Waiting[] = [];
  if (subtask.paused) waits.push(wait('task_paused', 'its task is paused'));
  if (subtask.waits_for_time) waits.push(wait('retry_time', `it is tried again at ${subtask.run_after}`));
  const nobody = isTruncated ? `none of the ${MOST_WORKERS} workers heard of last may take it` : 'no worker may take it';
  if (!reasons.some(onlyBusy)) waits.push(wait('no_worker_qualifies', `${nobody}; see what each one lacks`));
  else if (!reasons.some((list) => list.length === 0)) waits.push(wait('workers_busy', 'every worker that may take it is busy'));
  if (ahead > 0) waits.push(wait('turn', `${ahead} subtasks of its queue that the same workers may take go first`));
  return waits.length > 0 ? waits : [wait('turn', 'it is the next in its queue: a worker takes it with its next claim')];
};

const OTHER_WAITS = {
  claimed: ['in_progress', 'a worker has claimed it and is about to start'],
  running: ['in_progress', 'a worker is carrying it out'],
  in_review: ['review', 'its result is being reviewed'],
  awaiting_input: ['input', 'it asked a person and waits for the answer'],
  awaiting_checkpoint: ['checkpoint', 'a person has to decide'],
  waiting_quota: ['quota', "its tool's quota is used up for now"],
  completed: ['ended', 'it has completed'],
  failed: ['ended', 'it failed; retry its task to run it again'],
  cancelled: ['ended', 'it was cancelled; retry its task to run it again'],
  skipped: ['ended', 'it was skipped since a parent failed; retry its task to run it again'],
} as const satisfies Record<string, readonly [Wait, string]>;

/** Says what a subtask waits for and, for each worker, why it may or may not take it. */
export const explain = async (
  ctx: Pick<Context, 'sql' | 'hints'>,
  who: Pick<Caller, 'organization_id'>,
  subtaskId: string,
): Promise<Explanation> => {
  const subtask = await rows.findExplained(ctx.sql, who.organization_id, subtaskId);
  if (subtask === null) throw new AppError('subtask_not_found', 'There is no subtask with this id');
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
  const waits = [wait('dependencies', `${parents.count} of its parents have not completed`, parents.ids)];
  return subtask.paused ? [...waits, wait('task_paused', 'its task is paused')] : waits;
};
