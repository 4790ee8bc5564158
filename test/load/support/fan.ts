import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import type { Client } from '../../../schema/client/client.ts';
import { EventOrder } from '../../../schema/client/event-order.ts';
import type { ServerFrame, Topic } from '../../../schema/live.ts';

const AT_ONCE = 25;

/** A socket that follows a task as clients do: what it gives out comes in order and once. */
export const openFan = async (client: Client, taskId: string) => {
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
export type Fan = Awaited<ReturnType<typeof openFan>>;

export const openFans = async (client: Client, taskId: string, count: number): Promise<Fan[]> => {
  const fans: Fan[] = [];
  while (fans.length < count) {
    const some = await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - fans.length) }, () => openFan(client, taskId)));
    await Promise.all(some.map((fan) => fan.subscribed));
    fans.push(...some);
  }
  return fans;
};
