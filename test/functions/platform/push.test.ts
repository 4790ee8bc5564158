import type { RequestListener } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createPush, type PushOptions } from '../../../functions/platform/push.ts';
import { socketsForTest } from '../../local/support/sockets.ts';
import { serve } from '../../support/http-server.ts';
import { freePort, until } from '../../support/processes.ts';
import { PATIENCE_MS } from '../../support/redis-kind.ts';

const pushTo = (options: PushOptions) => {
  const push = createPush({ timeoutMs: PATIENCE_MS, ...options });
  onTestFinished(() => push.destroy());
  return push;
};

/** A gateway that fails. */
const gatewayOf = async (answer: RequestListener) => ({
  target: { ...(await serve(answer)), region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } },
});

describe('push', () => {
  it('sends text and bytes to a socket', async () => {
    const { open, target } = await socketsForTest();
    const { received, id } = await open();
    const push = pushTo(target);

    expect(await push.post(id, '{"ö":1}')).toBe('sent');
    expect(await push.post(id, new Uint8Array([255, 0]))).toBe('sent');

    await until('both', () => received.length === 2);
    expect(received).toEqual(['{"ö":1}', Buffer.from([255, 0])]);
  });

  it('reports that a socket is gone, whether its client or the backend closed it', async () => {
    const { open, target } = await socketsForTest();
    const [one, other] = [await open(), await open()];
    const push = pushTo(target);

    one.socket.close();
    await push.close(other.id);

    await until('the first to be gone', async () => (await push.post(one.id, 'x')) === 'gone');
    expect(await push.post(other.id, 'x')).toBe('gone');
    expect((await other.closed).code).toBe(1000);
    await expect(push.close(other.id)).resolves.toBeUndefined();
  });

  it('reports that a client does not read', async () => {
    const { open, target } = await socketsForTest(undefined, { limits: { bufferBytes: 50_000 } });
    const { socket, id } = await open();
    const push = pushTo(target);
    socket.pause();

    while ((await push.post(id, 'x'.repeat(32_000))) !== 'slow');

    expect(await push.post(id, 'x'.repeat(32_000))).toBe('slow');
  });

  it('reports a full buffer at once, and does not send again', async () => {
    let requests = 0;
    const { target } = await gatewayOf((request, response) => {
      requests++;
      request.resume();
      response.writeHead(429, { 'x-amzn-errortype': 'LimitExceededException' }).end();
    });

    expect(await pushTo(target).post('id=', 'x')).toBe('slow');
    expect(requests).toBe(1);
  });

  it('keeps its connection to the gateway', async () => {
    const ports = new Set<number | undefined>();
    const { target } = await gatewayOf((request, response) => {
      ports.add(request.socket.remotePort);
      request.resume().on('end', () => response.end());
    });
    const push = pushTo(target);

    for (let n = 0; n < 10; n++) await push.post('id=', String(n));

    expect(ports.size).toBe(1);
  });

  it('retries when the gateway fails or the connection breaks, and then succeeds', async () => {
    let requests = 0;
    const { target } = await gatewayOf((request, response) => {
      request.resume();
      if (++requests === 1) request.socket.destroy();
      else response.writeHead(requests === 2 ? 500 : 200).end();
    });
    const push = pushTo({ ...target, attempts: 3 });

    expect(await push.post('id=', 'x')).toBe('sent');
    expect(requests).toBe(3);
  });

  it.each([400, 403, 413])('does not repeat a message refused with %s, and throws', async (status) => {
    let requests = 0;
    const { target } = await gatewayOf((request, response) => {
      requests++;
      request.resume();
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"message":"no"}');
    });

    await expect(pushTo(target).post('id=', 'x')).rejects.toMatchObject({ $metadata: { httpStatusCode: status } });
    expect(requests).toBe(1);
  });

  it('throws a clear error when the gateway is unreachable, or does not respond in time', async () => {
    const { target } = await gatewayOf(() => {});
    const unreachable = { ...target, endpoint: `http://127.0.0.1:${await freePort()}` };

    await expect(pushTo(unreachable).post('id=', 'x')).rejects.toThrow(
      `The socket gateway at ${unreachable.endpoint} does not answer: connect ECONNREFUSED`,
    );
    await expect(pushTo({ ...target, timeoutMs: 50 }).post('id=', 'x')).rejects.toThrow(
      `The socket gateway at ${target.endpoint} does not answer`,
    );
  });
});
