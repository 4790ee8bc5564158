import { PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { SocketHandler } from '../../local/socket-gateway/calls.ts';
import { until } from '../support/processes.ts';
import { PublishedEvent, socketsForTest } from './support/sockets.ts';

const never = () => new Promise<never>(() => {});
const isMessage = ({ requestContext }: { requestContext: { eventType: string } }) => requestContext.eventType === 'MESSAGE';

describe('messages', () => {
  it('of one connection are handled concurrently', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const ended: string[] = [];
    const { open, of } = await socketsForTest(async ({ body }) => {
      if (body === 'first') await released;
      ended.push(body ?? '');
      return { statusCode: 200 };
    });
    const { socket } = await open();

    socket.send('first');
    socket.send('second');
    await until('the second to be done', () => ended.includes('second'));

    expect(ended).not.toContain('first');
    release();
    await until('the first to be done', () => ended.includes('first'));
    expect(of('MESSAGE')).toHaveLength(2);
  });

  it('stay unread while the maximum number is being handled', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const answer: SocketHandler = async ({ body }) => {
      if (body) await released;
      return { statusCode: 200 };
    };
    const { open, of } = await socketsForTest(answer, { limits: { concurrency: 3 } });
    const { socket } = await open();
    for (let n = 0; n < 400; n++) socket.send(String(n).padEnd(10_000));
    await until('the first to be handled', () => of('MESSAGE').length >= 3);

    const meanwhile = of('MESSAGE').length;
    release();

    await until('all to be handled', () => of('MESSAGE').length === 400);
    expect(meanwhile).toBeLessThan(50); // one read from the socket is accepted as a whole
  });

  it('whose handler throws are reported to their sender without the error, and the connection stays open', async () => {
    const { open, events, errors } = await socketsForTest(async ({ body }) => {
      if (body === 'bad') throw new Error('a secret detail');
      return { statusCode: 200 };
    });
    const { socket, received, id } = await open();

    socket.send('bad');
    await until('the answer', () => received.length > 0);

    const requestId = events.find(isMessage)?.requestContext.requestId;
    expect(received.map((it) => JSON.parse(String(it)))).toEqual([{ message: 'Internal server error', connectionId: id, requestId }]);
    expect(errors).toEqual([expect.objectContaining({ message: 'a secret detail' })]);
    socket.send('good');
    await until('the next one', () => events.some(({ body }) => body === 'good'));
  });

  it('that take too long are reported to their sender', async () => {
    const { open } = await socketsForTest(({ body }) => (body ? never() : Promise.resolve({ statusCode: 200 })), {
      limits: { timeoutMs: 30 },
    });
    const { socket, received, id } = await open();

    socket.send('slow');
    await until('the answer', () => received.length > 0);

    expect(JSON.parse(String(received[0]))).toMatchObject({ message: 'Endpoint request timed out', connectionId: id });
  });

  it('in binary end the connection, as in API Gateway, unless Base64 is enabled', async () => {
    const strict = await socketsForTest();
    const lenient = await socketsForTest(undefined, { binary: true });
    const [refused, taken] = [await strict.open(), await lenient.open()];

    refused.socket.send(Buffer.from([0xff, 0x00]));
    taken.socket.send(Buffer.from([0xff, 0x00]));

    expect((await refused.closed).code).toBe(1003);
    expect(strict.of('MESSAGE')).toEqual([]);
    const message = await until('the message', () => lenient.events.find(isMessage));
    expect(message).toMatchObject({ body: '/wA=', isBase64Encoded: true });
    expect(message).toMatchObject(PublishedEvent.parse(message));
  });
});

describe('a limit of the socket gateway', () => {
  const limits = { messageBytes: 4_000, frameBytes: 1_000 };

  it('accepts a message of the maximum size in frames of the maximum size', async () => {
    const { open, events } = await socketsForTest(undefined, { limits });
    const { socket } = await open();

    for (let n = 1; n <= 4; n++) socket.send('x'.repeat(1_000), { fin: n === 4 });

    expect((await until('the message', () => events.find(isMessage))).body).toHaveLength(4_000);
  });

  it('ends a connection with 1009 for a message that is too large', async () => {
    const { open, of } = await socketsForTest(undefined, { limits });
    const { socket, closed } = await open();

    for (let n = 1; n <= 5; n++) socket.send('x'.repeat(900), { fin: n === 5 });

    expect((await closed).code).toBe(1009);
    const [ended] = await until('the end', () => of('DISCONNECT').length > 0 && of('DISCONNECT'));
    expect(ended?.requestContext.disconnectStatusCode).toBe(1009);
    expect(of('MESSAGE')).toEqual([]);
  });

  it.each([1, 125, 126, 999, 1_000])('accepts a frame of %s bytes', async (length) => {
    const { open, events } = await socketsForTest(undefined, { limits });
    const { socket } = await open();

    socket.send('x'.repeat(length));

    expect((await until('the message', () => events.find(isMessage))).body).toHaveLength(length);
  });

  it.each([
    ['a frame of one byte more', 1_000, 1_001],
    ['a frame with a length of 64 bits', 65_536, 65_537],
  ])('ends a connection with 1009 for %s', async (_, frameBytes, length) => {
    const { open, of } = await socketsForTest(undefined, { limits: { frameBytes } });
    const { socket, closed } = await open();

    socket.send('fine');
    await until('the message', () => of('MESSAGE').length === 1);
    socket.send('x'.repeat(length));

    expect((await closed).code).toBe(1009);
    expect(of('MESSAGE').map(({ body }) => body)).toEqual(['fine']);
  });

  it('ends an idle connection, and not one that sends or receives messages', async () => {
    const { promise: spoken, resolve: hear } = Promise.withResolvers<void>();
    const answer: SocketHandler = async ({ body }) => {
      if (body) hear();
      return { statusCode: 200 };
    };
    const { open, of, management } = await socketsForTest(answer, { limits: { idleMs: 1_000 } });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const [quiet, speaking, listening] = [await open(), await open(), await open()];

    vi.advanceTimersByTime(600);
    speaking.socket.send('.');
    await spoken;
    await management.send(new PostToConnectionCommand({ ConnectionId: listening.id, Data: '.' }));
    vi.advanceTimersByTime(600);
    vi.useRealTimers();

    expect(await quiet.closed).toEqual({ code: 1001, reason: 'Going away' });
    for (const { socket } of [speaking, listening]) expect(socket.readyState).toBe(WebSocket.OPEN);
    const [ended] = await until('the end', () => of('DISCONNECT').length > 0 && of('DISCONNECT'));
    expect(ended?.requestContext.connectionId).toBe(quiet.id);
  });

  it('ends a connection after its maximum duration, even if it is active', async () => {
    const { open } = await socketsForTest(undefined, { limits: { lifeMs: 150, idleMs: 60_000 } });
    const { socket, closed } = await open();
    const chatter = setInterval(() => socket.send('.'), 10);

    expect(await closed).toEqual({ code: 1001, reason: 'Going away' });
    clearInterval(chatter);
  });
});
