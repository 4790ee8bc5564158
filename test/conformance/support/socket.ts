import { onTestFinished } from 'vitest';
import { ClientFrame, ServerFrame } from '../../../schema/live.ts';
import type * as z from 'zod';
import { until } from '../../support/processes.ts';
import type { Topic } from '../../../schema/live.ts';

/** A WebSocket at the URL of a ticket, closed when the test ends. */
export const openSocket = async (url: string) => {
  const socket = new WebSocket(url);
  const frames: ServerFrame[] = [];
  let state: 'opening' | 'open' | 'refused' | 'closed' = 'opening';
  socket.addEventListener('open', () => (state = 'open'));
  socket.addEventListener('error', () => (state = state === 'opening' ? 'refused' : state));
  socket.addEventListener('close', () => (state = state === 'open' ? 'closed' : 'refused'));
  socket.addEventListener('message', ({ data }) => void frames.push(ServerFrame.parse(JSON.parse(String(data)))));
  onTestFinished(() => socket.close());
  await until('the socket to open or to be refused', () => state !== 'opening');
  return {
    state: () => state,
    frames,
    send: (frame: z.input<typeof ClientFrame>) => socket.send(JSON.stringify(frame)),
    /** Waits for the first frame of a type. */
    received: <T extends ServerFrame['type']>(type: T) =>
      until(`a frame ${type}`, () => frames.find((it): it is Extract<ServerFrame, { type: T }> => it.type === type)),
    events: () => frames.flatMap((it) => (it.type === 'events' ? it.events : [])),
  };
};

const REPLY_MS = 10_000;

/** A socket that is subscribed to a topic. Like a client, opens another socket when the first one is closed or silent. */
export const followTopic = (ticket: () => Promise<{ url: string }>, topic: Topic, afterSeq?: number) =>
  until('a subscribed socket', async () => {
    const socket = await openSocket((await ticket()).url);
    if (socket.state() !== 'open') return null;
    socket.send({ action: 'subscribe', topic, ...(afterSeq === undefined ? {} : { after_seq: afterSeq }) });
    const isSubscribed = () => socket.state() === 'closed' || socket.frames.some(({ type }) => type === 'subscribed');
    await until('the subscription', isSubscribed, REPLY_MS).catch(() => null);
    return socket.frames.some(({ type }) => type === 'subscribed') && socket;
  });
