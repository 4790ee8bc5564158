import { getEventListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ApiError, createClient, isTransient, repeatCall } from '../../../schema/client/client.ts';
import { freePort } from '../../support/processes.ts';

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string };
type Reply = { status?: number; headers?: Record<string, string>; body?: unknown } | 'cut' | 'never' | 'half';

/** A server that sends its replies one after another, and repeats the last. */
const serving = async (...replies: Reply[]) => {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: await text(request) });
    const reply = replies[Math.min(seen.length, replies.length) - 1];
    if (reply === 'never') return;
    if (reply === 'half') {
      response.writeHead(200).write('{');
      return;
    }
    if (reply === 'cut' || reply === undefined) {
      request.socket.destroy();
      return;
    }
    response.writeHead(reply.status ?? 200, reply.headers);
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};

const removed = { worker_id: '00000000-0000-4000-8000-000000000001', deleted: true };
const page = { items: [], next_cursor: null };
const problem = { type: 't', title: 'T', status: 404, detail: 'There is no task', code: 'task_not_found', errors: [], request_id: 'r-1' };
const failure = async (promise: Promise<unknown>): Promise<ApiError> => {
  const error = await promise.then(
    () => null,
    (it: unknown) => it,
  );
  if (error instanceof ApiError) return error;
  throw new Error(`an ApiError is expected, not ${String(error)}`);
};

describe('the client', () => {
  it('calls an operation by its contract: method, encoded path, query, token', async () => {
    const { seen, url } = await serving({ body: page });
    const client = createClient({ url: `${url}/prefix/`, token: () => 'mak_1' });

    expect(await client.listTasks({ query: { q: 'a b&c', limit: 5 } })).toEqual(page);
    await client.listSubtasks({ params: { task_id: 'a/b?c' } });

    expect(seen[0]).toMatchObject({ method: 'GET', url: '/prefix/api/v1/tasks?q=a+b%26c&limit=5' });
    expect(seen[0]?.headers.authorization).toBe('Bearer mak_1');
    expect(seen[1]?.url).toBe('/prefix/api/v1/tasks/a%2Fb%3Fc/subtasks');
  });

  it('returns only the fields of the contract', async () => {
    const { url } = await serving({ body: { ...page, surplus: 1 } });
    expect(await createClient({ url }).listTasks()).toEqual(page);
  });

  it('sends an Idempotency-Key of its own, or the given one, where the operation takes one', async () => {
    const { seen, url } = await serving({ body: removed });
    const client = createClient({ url });
    const params = { worker_id: removed.worker_id };

    await client.deleteWorker({ params });
    await client.deleteWorker({ params });
    await client.deleteWorker({ params }, { idempotencyKey: 'mine', ifMatch: 3 });
    await failure(client.getTask({ params: { task_id: 'x' } }));

    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys[1]).not.toBe(keys[0]);
    expect(keys.slice(2)).toEqual(['mine', undefined]);
    expect(seen[2]?.headers['if-match']).toBe('"3"');
  });

  it('throws the error of the problem details', async () => {
    const { url } = await serving({ status: 404, body: problem, headers: { 'retry-after': '2' } });
    expect(await failure(createClient({ url }).listTasks())).toMatchObject({
      status: 404,
      code: 'task_not_found',
      message: 'There is no task',
      problem,
      retryAfterMs: 2_000,
    });
  });

  it('throws unreachable when there is no response, the connection is lost, or the time is over', async () => {
    const { url } = await serving('cut');
    const silent = await serving('never');
    const halting = await serving('half');

    expect(await failure(createClient({ url: `http://127.0.0.1:${await freePort()}` }).listTasks())).toMatchObject({
      status: 0,
      code: 'unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    expect(await failure(createClient({ url }).listTasks())).toMatchObject({ status: 0, code: 'unreachable' });
    for (const { url } of [silent, halting])
      expect(await failure(createClient({ url, timeoutMs: 50 }).listTasks())).toMatchObject({
        code: 'unreachable',
        message: expect.stringContaining('no answer within 50 ms'),
      });
  });

  it('throws the reason of an abort, not an ApiError', async () => {
    const { url } = await serving('never');
    const abort = new AbortController();
    const call = createClient({ url }).listTasks({}, { signal: abort.signal });
    const reason = new Error('no longer wanted');
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('sends nothing when its signal has aborted before, and leaves no listener on one that has not', async () => {
    const { seen, url } = await serving({ body: page });
    const client = createClient({ url });
    const reason = new Error('no longer wanted');
    const { signal } = new AbortController();

    await expect(client.listTasks({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(seen).toEqual([]);
    await client.listTasks({}, { signal });

    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it.each([
    ['invalid_answer', { body: { items: 'none' } }],
    ['invalid_answer', { body: '<html>' }],
    ['http_502', { status: 502, body: '<html>Bad Gateway</html>' }],
    ['redirected', { status: 301, headers: { location: 'https://elsewhere' }, body: '' }],
  ])('throws %s for a response that is not from the platform', async (code, reply) => {
    const { url } = await serving(reply);
    expect(await failure(createClient({ url }).listTasks())).toMatchObject({ code });
  });
});

const errorOf = (status: number, retryAfterMs: number | null = null) => new ApiError({ ...problem, status }, { retryAfterMs });

describe('repeating a call', () => {
  it.each([
    [true, [0, 408, 429, 500, 502, 503]],
    [false, [301, 400, 401, 404, 409, 410]],
  ])('is worth an attempt: %s, for the statuses %j', (helps, statuses) => {
    expect(statuses.map((status) => isTransient(errorOf(status)))).toEqual(statuses.map(() => helps));
  });

  it('waits longer each time, within bounds, or as long as the server asks, within bounds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const waits = async (error: ApiError) => {
      const times: number[] = [];
      const call = () => {
        times.push(performance.now());
        return Promise.reject(error);
      };
      const ended = failure(repeatCall(call, { tries: 6, baseMs: 100, maxMs: 1_000 }));
      await vi.advanceTimersByTimeAsync(6 * 3_600_000);
      await ended;
      return times.slice(1).map((time, at) => time - (times[at] as number));
    };

    const longer = await waits(errorOf(503));
    for (const [at, most] of [100, 200, 400, 800, 1_000].entries()) {
      expect(longer[at]).toBeGreaterThanOrEqual(most / 2 - 1);
      expect(longer[at]).toBeLessThanOrEqual(most + 1);
    }
    expect(await waits(errorOf(503, 2_000))).toEqual([2_000, 2_000, 2_000, 2_000, 2_000]);
    expect(await waits(errorOf(503, 3_600_000))).toEqual([30_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it('keeps one key through transient errors', async () => {
    const { seen, url } = await serving('cut', { status: 503, body: { ...problem, status: 503, code: 'unavailable' } }, { body: removed });
    const client = createClient({ url });

    const answer = await repeatCall((each) => client.deleteWorker({ params: { worker_id: removed.worker_id } }, each), { baseMs: 1 });

    expect(answer).toEqual(removed);
    expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(seen).toHaveLength(3);
  });

  it('does not repeat a refused call, and gives up after the last attempt', async () => {
    const refused = await serving({ status: 404, body: problem });
    await failure(repeatCall(() => createClient({ url: refused.url }).listTasks(), { baseMs: 1 }));
    expect(refused.seen).toHaveLength(1);

    const broken = await serving('cut');
    await failure(repeatCall(() => createClient({ url: broken.url }).listTasks(), { tries: 3, baseMs: 1 }));
    expect(broken.seen).toHaveLength(3);
  });
});
