import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { AppError } from '../../../schema/errors.ts';
import type { ClientFrame, ServerFrame } from '../../../schema/live.ts';
import type { FakePlatform } from './fake-platform.ts';

/** Adds WebSockets to the fake platform for the running test. */
export const pushFor = async (platform: FakePlatform) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const cut = () => server.clients.forEach((socket) => socket.terminate());
  onTestFinished(() => {
    cut();
    server.close();
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const topic = `worker:${platform.worker.worker_id}` as const;
  const received: ClientFrame[] = [];
  let isUnavailable = false;
  platform.handlers.createWorkerTicket = () => {
    if (isUnavailable) throw new AppError('unavailable', 'Push is unavailable');
    return { url, expires_at: new Date().toISOString() };
  };
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ClientFrame;
      received.push(frame);
      const answer: ServerFrame = frame.action === 'subscribe' ? { type: 'subscribed', topic, last_seq: null } : { type: 'pong' };
      socket.send(JSON.stringify(answer));
    });
  });
  const say = (frame: ServerFrame) => server.clients.forEach((socket) => socket.send(JSON.stringify(frame)));
  return {
    received,
    topic,
    cut,
    ring: () => say({ type: 'doorbell', topic }),
    cancel: (subtask_id: string) => say({ type: 'directive', topic, directive: 'cancel', subtask_id, attempt: 1 }),
    goAway: () => {
      isUnavailable = true;
      cut();
    },
  };
};
