import type { ServerFrame } from '../../../schema/live.ts';
import type { Context } from '../context.ts';

type Addressed = Extract<ServerFrame, { topic: unknown }>;
type Pushing = Pick<Context, 'push' | 'sockets' | 'log'>;

const AT_ONCE = 64;

/** Sends one frame to one socket. A closed socket is forgotten; a slow one is closed, so that its client reconnects and catches up. */
export const post = async ({ push, sockets, log }: Pushing, connectionId: string, frame: ServerFrame): Promise<void> => {
  if (push === null) return;
  try {
    const outcome = await push.post(connectionId, JSON.stringify(frame));
    if (outcome === 'sent') return;
    if (outcome === 'slow') await push.close(connectionId);
    await sockets.remove(connectionId);
  } catch (error) {
    log('warn', 'push.unavailable', { error });
  }
};

/** Sends each frame to the sockets that subscribed to its topic; a socket gets its frames in their order. */
export const push = async (ctx: Pushing, organizationId: string, frames: readonly Addressed[]): Promise<void> => {
  if (ctx.push === null || frames.length === 0) return;
  const topics = [...new Set(frames.map((frame) => frame.topic))];
  const subscribers = await ctx.sockets.subscribers(organizationId, topics);
  const ofTopic = new Map(topics.map((topic, at) => [topic, subscribers[at] ?? []]));
  const bySocket = new Map<string, Addressed[]>();
  for (const frame of frames) for (const id of ofTopic.get(frame.topic) ?? []) bySocket.set(id, [...(bySocket.get(id) ?? []), frame]);
  const waiting = [...bySocket];
  const sendNext = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [id, its] = next;
      for (const frame of its) await post(ctx, id, frame);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, sendNext));
};
