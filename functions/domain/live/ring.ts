import type { Context } from '../context.ts';
import type { LiveWorker } from '../ports/hints.ts';
import { push } from './push.ts';

/** Workers to ring for each ready subtask, because one of them may not be allowed to claim it or may be offline. */
const FOR_EACH = 2;
/** Workers to ring at least: some look free but have claimed since their last heartbeat, and one that is free must be among them. */
const AT_LEAST = 10;

const isFree = (worker: LiveWorker) => worker.status === 'online' && worker.mode === 'active';

/** Workers to ring for subtasks of these tools: free ones, at random, so that not always the same ones claim in vain. */
const choose = (workers: readonly LiveWorker[], tools: readonly string[]): LiveWorker[] => {
  const counts = Map.groupBy(tools, (tool) => tool);
  const chosen = new Set<LiveWorker>();
  for (const [tool, wanted] of counts) {
    const able = workers.filter((worker) => isFree(worker) && worker.tools.includes(tool));
    const shuffled = able.map((worker) => ({ worker, at: Math.random() })).toSorted((a, b) => a.at - b.at);
    for (const { worker } of shuffled.slice(0, Math.max(AT_LEAST, wanted.length * FOR_EACH))) chosen.add(worker);
  }
  return [...chosen];
};

/** Notifies free workers that subtasks are ready; a worker that does not receive it finds them by its own slow poll. */
export const ring = async (ctx: Context, organizationId: string, tools: readonly string[]): Promise<void> => {
  if (ctx.push === null) return;
  const chosen = choose(await ctx.hints.online(organizationId), tools);
  await push(
    ctx,
    organizationId,
    chosen.map(({ worker_id }) => ({ type: 'doorbell', topic: `worker:${worker_id}` })),
  );
};
