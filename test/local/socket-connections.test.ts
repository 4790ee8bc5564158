import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAwsKey, holdsKey } from '../../local/aws-key.ts';
import { until } from '../support/processes.ts';
import { send } from './support/gateway.ts';
import { socketsForTest } from './support/sockets.ts';

const post = (ConnectionId: string, Data: string | Uint8Array) => new PostToConnectionCommand({ ConnectionId, Data });
const statusOf = (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode;

describe('@connections', () => {
  it('sends text as text and bytes as bytes, in order', async () => {
    const { open, management } = await socketsForTest();
    const { received, id } = await open();

    await management.send(post(id, '{"text":"任務"}'));
    await management.send(post(id, new Uint8Array([0xff, 0x00, 0xfe])));
    await management.send(post(id, ''));
    await until('all of them', () => received.length === 3);

    expect(received).toEqual(['{"text":"任務"}', Buffer.from([0xff, 0x00, 0xfe]), '']);
  });

  it('splits messages into frames, and answers 413 to a message that is too long', async () => {
    const { open, management } = await socketsForTest();
    const { received, frames, id } = await open();

    await management.send(post(id, 'é'.repeat(65_536)));
    const tooLarge = await management.send(post(id, 'x'.repeat(131_073))).catch((error: unknown) => error);
    await until('the message', () => received.length === 1);

    expect(received).toEqual(['é'.repeat(65_536)]);
    expect(frames()).toBe(4);
    expect(tooLarge).toMatchObject({ name: 'PayloadTooLargeException', $metadata: { httpStatusCode: 413 } });
  });

  it("returns when a connection was opened, when it was last used, and the client's identity", async () => {
    const { connect, events, management } = await socketsForTest();
    await connect('', { headers: { 'user-agent': 'tester/1' } });
    const { connectionId, connectedAt } = (await until('the connection', () => events[0])).requestContext;
    await management.send(post(connectionId, 'x'));

    const info = await management.send(new GetConnectionCommand({ ConnectionId: connectionId }));

    expect(info.ConnectedAt).toEqual(new Date(connectedAt));
    expect(info.LastActiveAt?.getTime()).toBeGreaterThanOrEqual(connectedAt);
    expect(info.Identity).toEqual({ SourceIp: '127.0.0.1', UserAgent: 'tester/1' });
  });

  it('closes a connection, which then no longer exists and gets its $disconnect', async () => {
    const { open, management, of } = await socketsForTest();
    const { closed, id } = await open();

    await management.send(new DeleteConnectionCommand({ ConnectionId: id }));

    for (const command of [
      post(id, 'x'),
      new GetConnectionCommand({ ConnectionId: id }),
      new DeleteConnectionCommand({ ConnectionId: id }),
    ]) {
      await expect(management.send(command as GetConnectionCommand)).rejects.toMatchObject({ name: 'GoneException' });
    }
    expect((await closed).code).toBe(1000);
    await until('$disconnect', () => of('DISCONNECT').length === 1);
  });

  it('answers 410 for a connection that its client has closed, that never existed, or that is not open yet', async () => {
    let early: unknown;
    const { open, management, target } = await socketsForTest(async ({ requestContext }) => {
      const client = new ApiGatewayManagementApiClient(target);
      if (requestContext.eventType === 'CONNECT') early = await client.send(post(requestContext.connectionId, 'x')).catch(statusOf);
      client.destroy();
      return { statusCode: 200 };
    });
    const { socket, closed, id } = await open();
    socket.close();
    await closed;

    await until('410', async () => (await management.send(post(id, 'x')).catch(statusOf)) === 410);
    expect(await management.send(post('AAAAAAAAAAAAAAA=', 'x')).catch(statusOf)).toBe(410);
    expect(early).toBe(410);
  });

  it('answers 429 for a client that does not read, keeps nothing more for it, and continues when it reads again', async () => {
    const { open, management } = await socketsForTest(undefined, { limits: { bufferBytes: 200_000 } });
    const [slow, quick] = [await open(), await open()];
    const message = 'x'.repeat(100_000);
    let sent = 0;
    slow.socket.pause();

    const refused = await until('the buffer to be full', async () => {
      const failure = await management.send(post(slow.id, message)).then(
        () => null,
        (error: unknown) => error,
      );
      if (failure === null) sent++;
      return failure;
    });
    await management.send(post(quick.id, 'not held up'));
    slow.socket.resume();
    await until('room again', () =>
      management.send(post(slow.id, 'room again')).then(
        () => true,
        () => false,
      ),
    );
    await until('all that was accepted', () => slow.received.at(-1) === 'room again');

    expect(refused).toMatchObject({ name: 'LimitExceededException', $metadata: { httpStatusCode: 429 } });
    expect(slow.received).toEqual([...Array.from({ length: sent }, () => message), 'room again']);
    await until('the other to have its own', () => quick.received.length === 1);
  });

  it('handles 500 connections, and each receives what was posted to it', async () => {
    const { connect, management, of, sockets } = await socketsForTest();
    const clients = await Promise.all(Array.from({ length: 500 }, (_, n) => connect(`?n=${n}`)));
    const idOf = new Map(of('CONNECT').map((event) => [event.queryStringParameters?.n, event.requestContext.connectionId]));

    await Promise.all(clients.map((_, n) => management.send(post(idOf.get(String(n)) ?? '', `to ${n}`))));
    await until('all to have got theirs', () => clients.every(({ received }) => received.length > 0));

    expect(sockets.size()).toBe(500);
    expect(clients.map(({ received }) => received)).toEqual(clients.map((_, n) => [`to ${n}`]));
    for (const { socket } of clients) socket.terminate();
    await until('all of them to be gone', () => sockets.size() === 0 && of('DISCONNECT').length === 500);
  });
});

describe('access to @connections', () => {
  it('is limited to the backend: without the key of this process everything is 403', async () => {
    const { open, gateway, target } = await socketsForTest();
    const { received, id } = await open();
    const stranger = new ApiGatewayManagementApiClient({ ...target, credentials: createAwsKey() });
    onTestFinished(() => stranger.destroy());

    await expect(stranger.send(post(id, 'x'))).rejects.toMatchObject({ name: 'ForbiddenException' });
    await expect(stranger.send(post('AAAAAAAAAAAAAAA=', 'x'))).rejects.toMatchObject({ name: 'ForbiddenException' });
    for (const path of [`/ws/@connections/${id}`, `/@connections/${encodeURIComponent(id)}`])
      expect((await send(gateway.port, path, { method: 'POST' }, 'x')).status).toBe(403);
    expect(received).toEqual([]);
  });

  it.each(['/ws', ''])('works below the path %j', async (path) => {
    const { open, target, gateway } = await socketsForTest();
    const { id } = await open();
    const client = new ApiGatewayManagementApiClient({ ...target, endpoint: `${gateway.url}${path}` });
    onTestFinished(() => client.destroy());

    await expect(client.send(post(id, 'x'))).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
  });

  it('is refused to other machines, even with the key', () => {
    const key = createAwsKey();
    const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/20260101/us-east-1/execute-api/aws4_request, SignedHeaders=host, Signature=0`;
    const from = (remoteAddress: string) => ({ headers: { authorization }, socket: { remoteAddress } }) as Parameters<typeof holdsKey>[0];

    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) expect(holdsKey(from(address), key)).toBe(true);
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '192.168.127.1', '']) expect(holdsKey(from(address), key)).toBe(false);
  });

  it('is refused for another method, and an invalid id is no connection', async () => {
    const { gateway } = await socketsForTest();

    expect((await send(gateway.port, '/@connections/%zz')).status).toBe(400);
    expect((await send(gateway.port, '/@connections/x', { method: 'PUT' })).status).toBe(403);
  });
});
