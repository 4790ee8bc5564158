import { AppError } from '../../../schema/errors.ts';
import type { ClientFrame, ServerFrame, Topic } from '../../../schema/live.ts';
import type { Context } from '../context.ts';
import type { SocketOwner } from '../ports/sockets.ts';
import { events } from '../tasks/tasks.ts';
import { findTask } from '../tasks/tasks.sql.ts';
import { eventFrames } from './frames.ts';
import { post } from './push.ts';

const PAGE = 500;
/** A client that is further behind reads the rest by HTTP, at its own pace. */
const MOST_PAGES = 10;

const taskOf = (topic: Topic) => (topic.startsWith('task:') ? topic.slice('task:'.length) : null);

const allowed = async (ctx: Context, owner: SocketOwner, topic: Topic): Promise<boolean> => {
  if (owner.kind === 'worker') return topic === `worker:${owner.id}`;
  if (topic.startsWith('worker:')) return false;
  const taskId = taskOf(topic);
  return taskId === null || (await findTask(ctx.sql, owner.organization_id, taskId)) !== null;
};

/** Sends a task's events after a number; returns the number of the last one sent. */
const replay = async (ctx: Context, owner: SocketOwner, connectionId: string, topic: Topic, afterSeq: number): Promise<number> => {
  let reached = afterSeq;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { items, last_seq } = await events(ctx, owner, taskOf(topic) ?? '', { after_seq: reached, limit: PAGE });
    for (const frame of eventFrames(topic, items)) await post(ctx, connectionId, frame);
    reached = items.at(-1)?.seq ?? reached;
    if (reached >= last_seq || items.length === 0) return reached;
  }
  await post(ctx, connectionId, { type: 'resync', topic, after_seq: reached });
  return reached;
};

const enlist = async ({ sockets }: Context, { organization_id }: SocketOwner, connectionId: string, topics: readonly Topic[]) => {
  if (!(await sockets.subscribe(connectionId, organization_id, topics)))
    throw new AppError('unavailable', 'WebSockets are currently unavailable; poll by HTTP meanwhile');
};

type Subscribe = Extract<ClientFrame, { action: 'subscribe' }>;

/** Subscribes first, then replays: events in between arrive twice, and none is missed. */
const subscribe = async (ctx: Context, owner: SocketOwner, connectionId: string, { topic, after_seq }: Subscribe): Promise<ServerFrame> => {
  if (!(await allowed(ctx, owner, topic))) return { type: 'error', code: 'forbidden', detail: `This client may not follow ${topic}` };
  await enlist(ctx, owner, connectionId, [topic]);
  const last = after_seq === undefined || taskOf(topic) === null ? null : await replay(ctx, owner, connectionId, topic, after_seq);
  return { type: 'subscribed', topic, last_seq: last };
};

/** Renews subscriptions, which a flush of Redis may have removed. */
const ping = async (ctx: Context, owner: SocketOwner, connectionId: string, topics: readonly Topic[]): Promise<ServerFrame> => {
  const mine: Topic[] = [];
  for (const topic of topics) if (await allowed(ctx, owner, topic)) mine.push(topic);
  if (mine.length > 0) await enlist(ctx, owner, connectionId, mine);
  return { type: 'pong' };
};

/** Carries out a client's frame; returns the frame that answers it. */
export const receive = async (ctx: Context, owner: SocketOwner, connectionId: string, frame: ClientFrame): Promise<ServerFrame> => {
  if (frame.action === 'subscribe') return subscribe(ctx, owner, connectionId, frame);
  if (frame.action === 'ping') return ping(ctx, owner, connectionId, frame.topics);
  await ctx.sockets.unsubscribe(connectionId, owner.organization_id, [frame.topic]);
  return { type: 'unsubscribed', topic: frame.topic };
};
