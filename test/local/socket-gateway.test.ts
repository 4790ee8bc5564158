import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../support/processes.ts';
import type { SocketHandler } from '../../local/socket-gateway/calls.ts';
import { open as openTcp } from './support/gateway.ts';
import { PublishedEvent, socketsForTest } from './support/sockets.ts';

const never = () => new Promise<never>(() => {});
const isMessage = ({ requestContext }: { requestContext: { eventType: string } }) => requestContext.eventType === 'MESSAGE';

/** What a refused client receives. */
const refusal = async (url: string, options = {}) => {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  const [status, shown] = [response.statusCode, await text(response)];
  socket.terminate();
  return { status, shown };
};

describe('the events of the socket gateway', () => {
  it('have the published form, from $connect to $disconnect', async () => {
    const { connect, events } = await socketsForTest();
    const { socket, closed } = await connect('?ticket=a%20b&many=1&many=2', {
      headers: { 'X-Mixed': 'Kept', Origin: 'https://app.example' },
    });

    socket.send('{"action":"ping"}');
    await until('the message', () => events.length === 2);
    socket.close(4000, 'done');
    await closed;
    await until('the end', () => events.length === 3);

    for (const event of events) expect(event).toMatchObject(PublishedEvent.parse(event));
    const [connected, message, ended] = events.map(({ requestContext: { routeKey, eventType } }) => `${eventType} ${routeKey}`);
    expect([connected, message, ended]).toEqual(['CONNECT $connect', 'MESSAGE $default', 'DISCONNECT $disconnect']);
  });

  it('name the same connection, a new request id each, and the connection time', async () => {
    const { open, events } = await socketsForTest();
    const before = Date.now();
    const { socket, id } = await open();

    socket.send('one');
    await until('the message', () => events.length === 2);

    const [connected, message] = events.map((event) => event.requestContext);
    expect(id).toMatch(/^[\w-]{15}=$/);
    expect(message?.connectionId).toBe(id);
    expect(message?.requestId).not.toBe(connected?.requestId);
    expect(message?.connectedAt).toBe(connected?.connectedAt);
    expect(connected?.connectedAt).toBeGreaterThanOrEqual(before);
    expect(connected).toMatchObject({ stage: 'ws', apiId: 'local', identity: { sourceIp: '127.0.0.1' } });
    expect(connected).not.toHaveProperty('messageId');
    expect(message?.messageId).toBeTruthy();
  });

  it('have headers and query only at $connect, the last value of a name and all of them', async () => {
    const { connect, events } = await socketsForTest();

    const { socket } = await connect('?ticket=a%20b&many=1&many=2', { headers: { 'X-Mixed': 'Kept', Origin: 'https://app.example' } });
    socket.send('one');
    await until('the message', () => events.length === 2);

    expect(events[0]).toMatchObject({
      headers: { 'X-Mixed': 'Kept', Origin: 'https://app.example' },
      multiValueHeaders: { 'X-Mixed': ['Kept'] },
      queryStringParameters: { ticket: 'a b', many: '2' },
      multiValueQueryStringParameters: { ticket: ['a b'], many: ['1', '2'] },
    });
    for (const name of ['headers', 'queryStringParameters', 'multiValueQueryStringParameters']) expect(events[1]).not.toHaveProperty(name);
  });

  it.each([
    ['{"action":"subscribe"}', 'subscribe'],
    ['{"action":"unknown"}', '$default'],
    ['{"action":7}', '$default'],
    ['null', '$default'],
    ['not JSON', '$default'],
  ])('select the route of %s: %s', async (body, routeKey) => {
    const { open, events } = await socketsForTest(undefined, { routes: ['subscribe', 'ping'] });
    const { socket } = await open();

    socket.send(body);
    const message = await until('the message', () => events.find(isMessage));

    expect(message).toMatchObject({ body, isBase64Encoded: false, requestContext: { routeKey } });
  });

  it.each([
    ['a code and a reason', (socket: WebSocket) => socket.close(4001, 'bye'), 4001, 'bye'],
    ['no code', (socket: WebSocket) => socket.close(), 1005, 'Client-side close frame status not set'],
    ['a cut', (socket: WebSocket) => socket.terminate(), 1006, ''],
  ])('state how the connection ended: by %s', async (_, end, disconnectStatusCode, disconnectReason) => {
    const { open, of, sockets } = await socketsForTest();
    const { socket } = await open();

    end(socket);
    const [ended] = await until('the end', () => of('DISCONNECT').length > 0 && of('DISCONNECT'));

    expect(ended?.requestContext).toMatchObject({ disconnectStatusCode, disconnectReason });
    expect(sockets.size()).toBe(0);
  });
});

describe('a handshake', () => {
  it.each([401, 403, 429, 500])('is refused with the status %s of $connect, and creates no connection', async (statusCode) => {
    const { url, events, sockets } = await socketsForTest(async () => ({ statusCode, body: 'inside' }));

    const { status, shown } = await refusal(url);

    expect(status).toBe(statusCode);
    expect(shown).not.toContain('inside');
    expect(sockets.size()).toBe(0);
    expect(events.map((event) => event.requestContext.eventType)).toEqual(['CONNECT']);
  });

  it('is refused with 502 when $connect throws or returns nothing, and with 504 when it takes too long', async () => {
    const failing = await socketsForTest(async () => Promise.reject(new Error('a secret detail')));
    const empty = await socketsForTest(async () => undefined);
    const late = await socketsForTest(never, { limits: { timeoutMs: 20, closeMs: 20 } });

    const refused = await refusal(failing.url);

    expect(refused.status).toBe(502);
    expect(refused.shown).not.toContain('secret');
    expect(failing.errors).toEqual([expect.objectContaining({ message: 'a secret detail' })]);
    expect((await refusal(empty.url)).status).toBe(502);
    expect((await refusal(late.url)).status).toBe(504);
  });

  it('that is invalid never reaches $connect', async () => {
    const { gateway, events } = await socketsForTest();
    const socket = await openTcp(gateway.port);
    const answered = text(socket);

    socket.write('GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');

    expect(await answered).toContain('400 Bad Request');
    expect(events).toEqual([]);
  });

  it('at another path, or for another protocol, is handled as an ordinary request', async () => {
    const { gateway, events } = await socketsForTest();

    const other = await refusal(`ws://127.0.0.1:${gateway.port}/other`);
    const socket = await openTcp(gateway.port);
    socket.write('GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n');

    expect(other.status).toBe(404);
    expect(await text(socket)).toContain('404 Not Found');
    expect(events).toEqual([]);
  });

  it('that its client abandons while $connect runs causes a $disconnect', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { gateway, of, sockets } = await socketsForTest(async () => {
      await released;
      return { statusCode: 200 };
    });
    const socket = await openTcp(gateway.port);
    const handshake = [
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    socket.write(`GET /ws HTTP/1.1\r\nhost: x\r\n${handshake.join('\r\n')}\r\n\r\n`);
    await until('$connect to work', () => of('CONNECT').length === 1);

    socket.resetAndDestroy();
    await once(socket, 'close');
    release();

    const [ended] = await until('$disconnect', () => of('DISCONNECT').length === 1 && of('DISCONNECT'));
    expect(ended?.requestContext.disconnectStatusCode).toBe(1006);
    expect(sockets.size()).toBe(0);
  });
});

describe('closing the socket gateway', () => {
  it('disconnects its clients, which may reconnect at once', async () => {
    const { open, sockets } = await socketsForTest();
    const { closed, id } = await open();

    sockets.disconnectAll();

    expect((await closed).code).toBe(1001);
    expect((await open()).id).not.toBe(id);
  });

  it('notifies its clients, lets their $disconnect finish, and leaves the HTTP server free to close', async () => {
    const ended: string[] = [];
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const answer: SocketHandler = async ({ requestContext: { eventType, connectionId } }) => {
      if (eventType === 'DISCONNECT') {
        await released;
        ended.push(connectionId);
      }
      return { statusCode: 200 };
    };
    const { open, sockets, gateway } = await socketsForTest(answer, { limits: { closeMs: 18_000 } });
    const [one, other] = [await open(), await open()];

    const closing = sockets.close();
    expect([(await one.closed).code, (await other.closed).code]).toEqual([1001, 1001]);
    release();
    await closing;

    expect(ended.toSorted()).toEqual([one.id, other.id].toSorted());
    await gateway.close();
  });

  it('takes a limited time when a client does not read and a handler does not end', async () => {
    const { open, sockets } = await socketsForTest(
      ({ requestContext }) => (requestContext.eventType === 'CONNECT' ? Promise.resolve({ statusCode: 200 }) : never()),
      { limits: { closeMs: 100 } },
    );
    const { socket } = await open();
    socket.pause();

    await sockets.close();

    expect(sockets.size()).toBe(0);
  });
});
