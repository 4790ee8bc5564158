import type { Hints, LiveEvent, LiveTask, QueueContents, QueuePlace } from '../../domain/ports/hints.ts';
import { newGeneration } from './activity.ts';
import { CHANNELS, keys, rank, TASK_SECONDS } from './redis-keys.ts';
import { outdate } from './task-cache.ts';
import type { Pipeline, SendCommands } from './send-commands.ts';

const ENDED = new Set(['subtask.completed', 'subtask.failed', 'subtask.cancelled', 'subtask.skipped']);
const GIVEN_BACK = new Set(['subtask.retried', 'subtask.lease_lost', 'subtask.released']);

const followSubtask = (pipeline: Pipeline, { type, organization_id, subtask_id, task_id, tool }: LiveEvent) => {
  if (subtask_id === null || tool === null) return;
  const inProgress = keys.inProgress(organization_id);
  if (type === 'subtask.started') pipeline.sadd(inProgress, subtask_id);
  if (type === 'subtask.started' || ENDED.has(type)) pipeline.zrem(keys.pending(organization_id, tool), subtask_id);
  if (ENDED.has(type) || GIVEN_BACK.has(type)) pipeline.srem(inProgress, subtask_id);
  if (type === 'subtask.completed') pipeline.publish(CHANNELS.complete, JSON.stringify({ organization_id, task_id, subtask_id }));
};

/** Records the event number before the task itself, so that a later reader accepts no older copy. */
const followTask = (pipeline: Pipeline, task: LiveTask) => {
  const { organization_id, task_id, status, progress, version, last_seq } = task;
  outdate(pipeline, [task]);
  if (task.ended_at === null) {
    pipeline.hset(keys.task(task_id), { version, last_seq, status, progress, organization_id, task: JSON.stringify(task) });
    pipeline.expire(keys.task(task_id), TASK_SECONDS);
  } else pipeline.del(keys.task(task_id));
  pipeline.publish(CHANNELS.task, JSON.stringify({ organization_id, task_id, status, progress, version }));
};

const CHUNK = 1_000;
const chunks = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, at) => items.slice(at * CHUNK, (at + 1) * CHUNK));

const without = (ids: readonly string[], right: readonly string[]): string[] => {
  const kept = new Set(right);
  return ids.filter((id) => !kept.has(id));
};

const placeAll = async (send: SendCommands, organizationId: string, places: readonly QueuePlace[]) => {
  const replies = await send((pipeline) => {
    for (const it of places) pipeline.zadd(keys.pending(organizationId, it.tool), { score: rank(it), member: it.subtask_id });
  });
  return replies !== null;
};

const holdAll = async (send: SendCommands, organizationId: string, [first, ...others]: readonly string[]) =>
  first === undefined || (await send((pipeline) => pipeline.sadd(keys.inProgress(organizationId), first, ...others))) !== null;

/** What Redis holds for an organization; `members` are the ready subtasks of each tool. */
type Known = { tools: readonly string[]; members: readonly string[][]; held: readonly string[] };

const readKnown = async (send: SendCommands, organizationId: string): Promise<Known | null> => {
  const known = await send((pipeline) => {
    pipeline.smembers(keys.tools(organizationId));
    pipeline.smembers(keys.inProgress(organizationId));
  });
  const [tools = [], held = []] = (known ?? []) as string[][];
  const members = await send((pipeline) => {
    for (const tool of tools) pipeline.zrange(keys.pending(organizationId, tool), 0, -1);
  });
  return known === null || members === null ? null : { tools, members: members as string[][], held };
};

/** Removes what Redis should not hold, unless Postgres was read only in part, and marks the queues as whole. */
const correct = (pipeline: Pipeline, organizationId: string, { tools, members, held }: Known, right: QueueContents) => {
  const { ready, in_progress, is_whole } = right;
  const queues = Map.groupBy(ready, (it) => it.tool);
  tools.forEach((tool, at) => {
    if (!is_whole) return;
    const wrong = without(
      members[at] as string[],
      (queues.get(tool) ?? []).map((it) => it.subtask_id),
    );
    if (wrong.length > 0) pipeline.zrem(keys.pending(organizationId, tool), ...wrong);
  });
  const over = is_whole ? without(held, in_progress) : [];
  if (over.length > 0) pipeline.srem(keys.inProgress(organizationId), ...over);
  pipeline.sadd(keys.tools(organizationId), '', ...queues.keys());
  pipeline.set(keys.whole(organizationId), '1');
};

const reconcile = async (send: SendCommands, organizationId: string, read: () => Promise<QueueContents>): Promise<boolean> => {
  const known = await readKnown(send, organizationId);
  if (known === null) return false;
  const right = await read();
  for (const places of chunks(right.ready)) if (!(await placeAll(send, organizationId, places))) return false;
  for (const ids of chunks(right.in_progress)) if (!(await holdAll(send, organizationId, ids))) return false;
  return (await send((pipeline) => correct(pipeline, organizationId, known, right))) !== null;
};

export const createQueueHints = (send: SendCommands): Pick<Hints, 'place' | 'propose' | 'follow' | 'reconcile'> => ({
  place: async (ready, gone) => {
    const replies = await send((pipeline) => {
      for (const it of ready) {
        pipeline.zadd(keys.pending(it.organization_id, it.tool), { score: rank(it), member: it.subtask_id });
        pipeline.sadd(keys.tools(it.organization_id), it.tool);
      }
      for (const it of gone) pipeline.zrem(keys.pending(it.organization_id, it.tool), it.subtask_id);
    });
    return replies !== null;
  },
  propose: async (organizationId, tools, limit) => {
    const replies = await send((pipeline) => {
      pipeline.exists(keys.whole(organizationId));
      for (const tool of tools) pipeline.zrange(keys.pending(organizationId, tool), 0, limit - 1);
    });
    if (replies === null || replies[0] !== 1) return null;
    return (replies.slice(1) as string[][]).flat();
  },
  follow: async (events, tasks) => {
    const replies = await send((pipeline) => {
      for (const event of events) followSubtask(pipeline, event);
      for (const task of tasks) followTask(pipeline, task);
      if (tasks.some((task) => task.ended_at === null)) pipeline.set(keys.generation, newGeneration());
    });
    return replies !== null;
  },
  reconcile: (organizationId, read) => reconcile(send, organizationId, read),
});
