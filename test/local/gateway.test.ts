import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { HttpHandler } from '../../functions/http/api.ts';
import { until } from '../support/processes.ts';
import type { GatewayOptions } from '../../local/gateway.ts';
import { gatewayForTest, open } from './support/gateway.ts';

const bytes = { method: 'POST', headers: { 'content-type': 'application/octet-stream' } };
const never = () => new Promise<never>(() => {});

describe('the local gateway', () => {
  it('sends what the handler returns: status, headers, cookies and body', async () => {
    const { send } = await gatewayForTest(async () => ({
      statusCode: 201,
      headers: { 'X-One': '1', 'content-type': 'text/plain' },
      cookies: ['a=1', 'b=2; HttpOnly'],
      body: 'ö',
    }));

    const answer = await send('/');

    expect(answer).toMatchObject({ status: 201, text: 'ö' });
    expect(answer.headers).toMatchObject({ 'x-one': '1', 'content-type': 'text/plain', 'content-length': '2' });
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2; HttpOnly']);
  });

  it('notifies the handler when the client disconnects, and only then', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const answers: (() => void)[] = [];
    const { gateway, send } = await gatewayForTest(async (_, context) => {
      signals.push((context as typeof context & { signal?: AbortSignal }).signal);
      await new Promise<void>((resolve) => answers.push(resolve));
      return { statusCode: 200, body: '' };
    });
    const hungUp = request(gateway.url).on('error', () => {});
    hungUp.end();
    await until('the handler to be called', () => answers.length === 1);
    hungUp.destroy();
    await until('the handler to know', () => signals[0]?.aborted);

    const answered = send('/');
    await until('the handler to be called again', () => answers.length === 2);
    for (const answer of answers) answer();
    await answered;

    expect(signals.map((signal) => signal?.aborted)).toEqual([true, false]);
  });

  it('does not start a request whose client has disconnected', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    let calls = 0;
    const first: GatewayOptions['first'] = async (_, response) => {
      calls++;
      if (calls === 1) {
        response.once('close', closed.resolve);
        await promise;
      }
      return false;
    };
    const { gateway, events, errors, send } = await gatewayForTest(undefined, { first });
    const hungUp = request(gateway.url).on('error', () => {});
    hungUp.end();
    await until('the request to arrive', () => calls === 1);
    hungUp.destroy();
    await closed.promise;

    resolve();
    await send('/another');

    expect(events.map((event) => event.rawPath)).toEqual(['/another']);
    expect(errors).toEqual([]);
  });

  it('sends bytes that the handler returned in Base64', async () => {
    const { send } = await gatewayForTest(async () => ({
      statusCode: 200,
      body: Buffer.from('\u0001plain').toString('base64'),
      isBase64Encoded: true,
    }));

    expect((await send('/')).text).toBe('\u0001plain');
  });

  it('sends a plain value as a JSON body with status 200', async () => {
    const { send } = await gatewayForTest(async () => ({ hello: 'world' }) as never);

    expect(await send('/')).toMatchObject({ status: 200, text: '{"hello":"world"}', headers: { 'content-type': 'application/json' } });
  });

  it('answers HEAD with the headers of the body, and without it', async () => {
    const { send, events } = await gatewayForTest(async () => ({ statusCode: 200, body: '12345' }));

    const answer = await send('/', { method: 'HEAD' });

    expect(answer).toMatchObject({ status: 200, text: '', headers: { 'content-length': '5' } });
    expect(events[0]?.requestContext.http.method).toBe('HEAD');
  });

  it.each([204, 304])('answers %s without a body and without its headers', async (statusCode) => {
    const { send } = await gatewayForTest(async () => ({ statusCode, headers: { etag: '"1"' } }));

    const answer = await send('/');

    expect(answer).toMatchObject({ status: statusCode, text: '', headers: { etag: '"1"' } });
    expect(answer.headers).not.toHaveProperty('content-type');
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  it('answers 500 when a handler throws, shows the error only to the operator, and continues', async () => {
    const { send, errors } = await gatewayForTest(async (event) => {
      if (event.rawPath === '/broken') throw new Error('a secret detail');
      return { statusCode: 200, body: 'fine' };
    });

    const broken = await send('/broken');

    expect(broken.status).toBe(500);
    expect(broken.text).not.toContain('secret');
    expect(JSON.parse(broken.text)).toMatchObject({ code: 'internal', status: 500 });
    expect(errors).toEqual([expect.objectContaining({ message: 'a secret detail' })]);
    expect(await send('/')).toMatchObject({ status: 200, text: 'fine' });
  });

  it('answers 503 when a handler takes too long', async () => {
    const { send } = await gatewayForTest(never, { limits: { timeoutMs: 30 } });

    const answer = await send('/');

    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'unavailable', status: 503 });
  });

  it('gives a handler its remaining time', async () => {
    const left: number[] = [];
    const { send } = await gatewayForTest(
      async (_, context) => {
        left.push(context.getRemainingTimeInMillis());
        return { statusCode: 200 };
      },
      { limits: { timeoutMs: 60_000 } },
    );

    await send('/');

    expect(left[0]).toBeGreaterThan(30_000);
    expect(left[0]).toBeLessThanOrEqual(60_000);
  });

  it('answers 400 to a path with invalid percent-encoding', async () => {
    const { send, events } = await gatewayForTest();

    const answer = await send('/api/v1/tasks/%E4%zz');

    expect(JSON.parse(answer.text)).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(events).toEqual([]);
  });

  it('accepts a body of the maximum size, and answers 413 to one byte more', async () => {
    const { send, events } = await gatewayForTest(undefined, { limits: { bodyBytes: 100_000 } });

    const largest = await send('/', bytes, Buffer.alloc(100_000));
    const larger = await send('/', bytes, Buffer.alloc(100_001));

    expect(largest.status).toBe(200);
    expect(larger).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect(JSON.parse(larger.text)).toMatchObject({ code: 'body_too_large', detail: expect.stringContaining('100000 bytes') });
    expect(events).toHaveLength(1);
  });

  it('answers 413 to a body of unknown size that grows too large', async () => {
    const { gateway, events } = await gatewayForTest(undefined, { limits: { bodyBytes: 100_000 } });
    const sent = request({ host: '127.0.0.1', port: gateway.port, ...bytes, agent: false });
    const answered = once(sent, 'response');

    for (let n = 0; n < 200; n++) sent.write(Buffer.alloc(100_000));
    const [response] = await answered;

    expect(response.statusCode).toBe(413);
    expect(JSON.parse(await text(response)).code).toBe('body_too_large');
    expect(events).toEqual([]);
    sent.destroy();
  });

  it('waits for a body that arrives in pieces', async () => {
    const { gateway, events } = await gatewayForTest();
    const socket = await open(gateway.port);
    const answered = once(socket, 'data');

    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab');
    await until('the gateway to have the connection', () => socket.bytesWritten > 0);
    expect(events).toEqual([]);
    socket.write('cd');

    expect(String((await answered)[0])).toContain('200 OK');
    expect(events[0]?.body).toBe('abcd');
  });

  it('ends a request that is not completed in time', async () => {
    const { gateway, events } = await gatewayForTest(undefined, { limits: { requestMs: 50 } });
    const socket = await open(gateway.port);
    const answered = text(socket);

    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab');

    expect(await answered).toContain('408 Request Timeout');
    expect(events).toEqual([]);
  });

  it('does not report a disconnected client as an error', async () => {
    const { gateway, send, errors, events } = await gatewayForTest();
    const socket = await open(gateway.port);

    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab');
    socket.destroy();
    await once(socket, 'close');

    expect((await send('/')).status).toBe(200);
    expect(events).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  it('lets a handler finish when its client has disconnected', async () => {
    let finished = false;
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { gateway, errors, events } = await gatewayForTest(async () => {
      await released;
      finished = true;
      return { statusCode: 200, body: '{}' };
    });
    const socket = await open(gateway.port);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await until('the handler to run', () => events.length === 1);

    socket.destroy();
    await once(socket, 'close');
    release();

    await until('the handler to finish', () => finished);
    expect(errors).toEqual([]);
  });

  it('answers requests in progress before it closes, and accepts no new ones', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { gateway, send, events } = await gatewayForTest(async () => {
      await released;
      return { statusCode: 200, body: 'in time' };
    });
    const underWay = send('/');
    await until('the handler to run', () => events.length === 1);

    const closed = gateway.close();
    await expect(send('/')).rejects.toThrow('ECONNREFUSED');
    release();

    expect((await underWay).text).toBe('in time');
    await closed;
  });

  it('ends keep-alive connections at once when it closes, including one that was answered only then', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const answer: HttpHandler = async ({ rawPath }) => {
      if (rawPath === '/slow') await released;
      return { statusCode: 200, body: '{}' };
    };
    const { gateway, events } = await gatewayForTest(answer, { limits: { closeMs: 60_000 } });
    const [idle, busy] = [await open(gateway.port), await open(gateway.port)];
    const answers = [text(idle), text(busy)];
    idle.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    busy.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
    await until('the handlers to run', () => events.length === 2);

    let closed = false;
    void gateway.close().then(() => (closed = true));
    release();

    await until('the gateway to be closed', () => closed, 15_000);
    for (const answer of await Promise.all(answers)) expect(answer).toContain('200 OK');
  });
});
