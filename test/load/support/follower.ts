import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import type { Client } from '../../../schema/client/client.ts';
import { EventOrder } from '../../../schema/client/event-order.ts';
import type { ServerFrame, Topic } from '../../../schema/live.ts';

const AT_ONCE = 25;

/** A socket that follows a task as clients do: `seen` has the number of each event once and in order. */
export const openFollower = async (client: Client, taskId: string) => {
  const { url } = await client.createTicket({});
  const socket = new WebSocket(url);
  onTestFinished(() => socket.terminate());
  const order = new EventOrder(0);
  const seen: number[] = [];
  const topic: Topic = `task:${taskId}`;
  const { promise: subscribed, resolve } = Promise.withResolvers<void>();
  socket.on('error', () => {});
  socket.on('message', (data: RawData) => {
    const frame = JSON.parse((data as Buffer).toString()) as ServerFrame;
    if (frame.type === 'events') order.take(frame.events);
    for (let event = order.next(); event !== null; event = order.next()) seen.push(event.seq);
    if (frame.type === 'subscribed') resolve();
  });
  let isOpen = true;
  socket.on('close', () => void (isOpen = false));
  await once(socket, 'open');
  const subscribe = () => socket.send(JSON.stringify({ action: 'subscribe', topic, after_seq: 0 }));
  subscribe();
  return { socket, seen, subscribed, subscribe, isOpen: () => isOpen };
};
export type Follower = Awaited<ReturnType<typeof openFollower>>;

export const openFollowers = async (client: Client, taskId: string, count: number): Promise<Follower[]> => {
  const followers: Follower[] = [];
  while (followers.length < count) {
    const some = await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - followers.length) }, () => openFollower(client, taskId)));
    await Promise.all(some.map((follower) => follower.subscribed));
    followers.push(...some);
  }
  return followers;
};
