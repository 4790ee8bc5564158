import type { ServerFrame } from '../../../schema/live.ts';
import type { MessageOf } from '../../../schema/message.ts';
import type { Context } from '../context.ts';
import type { LiveEvent, LiveTask } from '../ports/hints.ts';
import { orWakeLater } from '../outbox/wake.ts';
import { eventFrames } from './frames.ts';
import { readTasks, takeEvents } from './live.sql.ts';
import { push } from './push.ts';

type Addressed = Extract<ServerFrame, { topic: unknown }>;

/** Publishes events to all followers: the caches and channels of Redis, and open sockets. */
export const broadcast = async (ctx: Context, rows: readonly MessageOf<'events'>[]): Promise<void> => {
  const ranges = rows.flatMap((row) => row.payload.ranges);
  // Before the rows are taken: when the database fails in between, the relay still finds them.
  const tasks = await readTasks(ctx.sql, [...new Set(ranges.map(([taskId]) => taskId))]);
  const events = await takeEvents(
    ctx.sql,
    rows.map((row) => row.outbox_id),
    ranges,
  );
  await orWakeLater(ctx, ctx.hints.follow(events, tasks));
  for (const [organizationId, those] of Map.groupBy(events, (event) => event.organization_id))
    await push(ctx, organizationId, [...Map.groupBy(those, (event) => event.task_id).entries()].flatMap(framesOf(tasks)));
};

const framesOf =
  (tasks: readonly LiveTask[]) =>
  ([taskId, events]: [string, LiveEvent[]]): Addressed[] => {
    const bare = events.map(({ organization_id: _, tool: __, ...event }) => event);
    const task = tasks.find((it) => it.task_id === taskId);
    return [...eventFrames(`task:${taskId}`, bare), ...taskFrame(task), ...events.flatMap(directiveOf)];
  };

const taskFrame = (task: LiveTask | undefined): Addressed[] => {
  if (task === undefined) return [];
  const { task_id, status, progress, version } = task;
  return [{ type: 'task', topic: 'tasks', task: { task_id, status, progress, version } }];
};

/** A worker whose subtask was cancelled learns it at once, before its next heartbeat. */
const directiveOf = ({ type, worker_id, subtask_id, attempt }: LiveEvent): Addressed[] =>
  type === 'subtask.cancelled' && worker_id !== null && subtask_id !== null && attempt !== null
    ? [{ type: 'directive', topic: `worker:${worker_id}`, directive: 'cancel', subtask_id, attempt }]
    : [];
