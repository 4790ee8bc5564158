import { describe, expect, it } from 'vitest';
import { endOverdue } from '../../../functions/domain/maintenance/maintenance.ts';
import { createSockets } from '../../../functions/platform/sockets.ts';
import type { RedisClient } from '../../../functions/platform/redis.ts';
import { tick } from '../../../functions/schedule/tick.ts';
import { socket } from '../../../functions/socket/socket.ts';
import type { Claimed } from '../../../schema/attempt.ts';
import type { ServerFrame } from '../../../schema/live.ts';
import type { Backend } from '../../support/backend.ts';
import { NO_REDIS } from '../../support/redis-kind.ts';
import { drain, enrol, type TestWorker } from '../../support/worker.ts';
import { backendWithQueues, breakableRedis, fakePush } from './support/live.ts';

type Event = Parameters<ReturnType<typeof socket>>[0];
type Held = { backend: Backend; worker: TestWorker; claimed: Claimed };

const event = (eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT', connectionId: string, rest: object = {}) => {
  const requestContext = { eventType, connectionId, requestId: 'r', routeKey: '$default' };
  return { requestContext, isBase64Encoded: false, ...rest } as unknown as Event;
};

const keysOf = async (redis: RedisClient, match: string): Promise<string[]> => {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, { match, count: 1_000 });
    found.push(...keys);
    cursor = next;
  } while (cursor !== '0');
  return found;
};

const setup = async () => {
  const { redis, setUnavailable } = breakableRedis();
  const { push, posted, closed, slow } = fakePush();
  const { backend, settle } = await backendWithQueues({ redis, push });
  const handle = socket(backend.ctx);
  const ticketOf = (url: string) => new URL(url).searchParams.get('ticket') ?? '';
  const connect = (id: string, ticket: string, headers: Record<string, string> = {}) =>
    handle(event('CONNECT', id, { queryStringParameters: { ticket }, headers }));
  const open = async (id: string) => {
    const { url } = await backend.admin.ok.createTicket();
    expect(await connect(id, ticketOf(url))).toEqual({ statusCode: 200 });
  };
  const say = (id: string, frame: unknown) =>
    handle(event('MESSAGE', id, { body: typeof frame === 'string' ? frame : JSON.stringify(frame) }));
  const received = (id: string) => (posted.get(id) ?? []) as ServerFrame[];
  const events = (id: string) => received(id).flatMap((frame) => (frame.type === 'events' ? frame.events.map((it) => it.seq) : []));
  return { backend, settle, redis, setUnavailable, handle, ticketOf, connect, open, say, received, events, posted, closed, slow };
};

describe.skipIf(NO_REDIS)('a ticket', () => {
  it('opens one socket, once', async () => {
    const { backend, connect, ticketOf } = await setup();
    const { url } = await backend.admin.ok.createTicket();

    expect(await connect('one', ticketOf(url))).toEqual({ statusCode: 200 });
    expect(await connect('two', ticketOf(url))).toEqual({ statusCode: 401 });
    expect(await connect('three', 'nonsense')).toEqual({ statusCode: 401 });
    expect(await connect('four', '')).toEqual({ statusCode: 401 });
  });

  it('is valid for half a minute', async () => {
    const { backend, redis } = await setup();
    await backend.admin.ok.createTicket();

    const [ticket = ''] = await keysOf(redis, 'ws:ticket:*');
    const seconds = await redis.ttl(ticket);

    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(30);
  });

  it('opens no socket for a request that has read it when another one has taken it', async () => {
    const owner = JSON.stringify({ kind: 'caller', id: 'x', organization_id: 'y' });

    expect(await createSockets(async () => [owner, 1]).takeTicket('hash')).toMatchObject({ kind: 'caller' });
    expect(await createSockets(async () => [owner, 0]).takeTicket('hash')).toBeNull();
  });

  it('opens only one socket when many use it at the same time', async () => {
    const { backend, connect, ticketOf } = await setup();
    const { url } = await backend.admin.ok.createTicket();

    const answers = await Promise.all(['one', 'two', 'three', 'four'].map((id) => connect(id, ticketOf(url))));

    expect(answers.map(({ statusCode }) => statusCode).toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401]);
  });

  it('is not accepted from a page of another origin', async () => {
    const { backend, connect, ticketOf } = await setup();
    const fresh = async () => ticketOf((await backend.admin.ok.createTicket()).url);

    expect(await connect('one', await fresh(), { Origin: 'https://evil.example' })).toEqual({ statusCode: 403 });
    expect(await connect('two', await fresh(), { Origin: 'https://app.example' })).toEqual({ statusCode: 200 });
  });
});

describe.skipIf(NO_REDIS)('a socket', () => {
  it('receives the events of a task after a sequence number, and then new ones', async () => {
    const { backend, open, say, received, events } = await setup();
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await open('one');

    await say('one', { action: 'subscribe', topic: `task:${task_id}`, after_seq: 0 });
    expect(received('one').at(-1)).toEqual({ type: 'subscribed', topic: `task:${task_id}`, last_seq: 1 });
    await drain(worker);

    const { last_seq } = await backend.admin.ok.getTask({ params: { task_id } });
    await expect.poll(() => new Set(events('one')).size, { timeout: 15_000 }).toBe(last_seq);
    expect(Math.max(...events('one'))).toBe(last_seq);
  });

  it.each(['before', 'after'] as const)(
    'misses nothing that happens right %s it is subscribed, of a task that it asks for from the start',
    async (when) => {
      const { backend, settle, open, received, events } = await setup();
      const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
      await settle();
      await open('one');
      const { sockets } = backend.ctx;
      /** Records an event and pushes it to all current followers. */
      const happen = async () => {
        await backend.admin.ok.pauseTask({ params: { task_id } });
        await settle();
      };
      const subscribe: typeof sockets.subscribe = async (...to) => {
        if (when === 'before') await happen();
        const isSubscribed = await sockets.subscribe(...to);
        if (when === 'after') await happen();
        return isSubscribed;
      };
      const handle = socket({ ...backend.ctx, sockets: { ...sockets, subscribe } });

      await handle(event('MESSAGE', 'one', { body: JSON.stringify({ action: 'subscribe', topic: `task:${task_id}`, after_seq: 0 }) }));

      expect(received('one').at(-1)).toMatchObject({ type: 'subscribed', last_seq: 2 });
      expect(new Set(events('one'))).toEqual(new Set([1, 2]));
    },
  );

  it('receives short forms of tasks and workers, and nothing after it has unsubscribed', async () => {
    const { backend, open, say, received } = await setup();
    await open('one');
    await say('one', { action: 'subscribe', topic: 'tasks' });
    await say('one', { action: 'subscribe', topic: 'workers' });

    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await enrol(backend);

    await expect
      .poll(() => received('one').map((frame) => frame.type), { timeout: 15_000 })
      .toEqual(expect.arrayContaining(['task', 'worker']));
    expect(received('one')).toContainEqual({ type: 'task', topic: 'tasks', task: expect.objectContaining({ task_id, status: 'pending' }) });
    await say('one', { action: 'unsubscribe', topic: 'tasks' });
    await open('two');
    await say('two', { action: 'subscribe', topic: 'tasks' });
    const before = received('one').length;
    await backend.admin.ok.cancelTask({ params: { task_id } });
    await expect.poll(() => received('two').length, { timeout: 15_000 }).toBe(2);
    expect(received('one')).toHaveLength(before);
  });

  it('may follow only its own tasks and topics', async () => {
    const { backend, settle, connect, ticketOf, open, say, received, events } = await setup();
    const { key } = await backend.newKey({ organization: 'abroad' });
    const worker = await enrol(backend);
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await connect('abroad', ticketOf((await backend.as(key).ok.createTicket()).url));
    await connect('worker', ticketOf((await worker.as.ok.createWorkerTicket({ params: { worker_id: worker.worker_id } })).url));
    await open('caller');

    for (const [id, topic] of [
      ['abroad', `task:${task_id}`],
      ['worker', 'tasks'],
      ['worker', `worker:${crypto.randomUUID()}`],
      ['caller', `worker:${worker.worker_id}`],
    ] as const) {
      await say(id, { action: 'subscribe', topic });
      expect(received(id).at(-1)).toMatchObject({ type: 'error', code: 'forbidden' });
    }
    await say('worker', { action: 'subscribe', topic: `worker:${worker.worker_id}` });
    expect(received('worker').at(-1)).toMatchObject({ type: 'subscribed' });

    await say('abroad', { action: 'ping', topics: [`task:${task_id}`] });
    await say('worker', { action: 'ping', topics: ['tasks', 'workers'] });
    await open('follower');
    await say('follower', { action: 'ping', topics: [`task:${task_id}`] });
    const before = ['abroad', 'worker'].map((id) => received(id).length);
    await backend.admin.ok.cancelTask({ params: { task_id } });
    await expect.poll(() => events('follower').length, { timeout: 15_000 }).toBeGreaterThan(0);
    await settle();
    expect(['abroad', 'worker'].map((id) => received(id).length)).toEqual(before);
  });

  it('receives what is wrong with its message, and what is accepted instead', async () => {
    const { open, say, received } = await setup();
    await open('one');

    for (const wrong of [
      'nonsense',
      '[]',
      '{}',
      { action: 'dance' },
      { action: 'subscribe' },
      { action: 'subscribe', topic: 'task:1' },
      { action: 'ping', x: 1 },
    ]) {
      await say('one', wrong);
      expect(received('one').at(-1)).toMatchObject({ type: 'error', code: 'invalid_request', detail: expect.stringMatching(/./) });
    }
  });

  it('is closed at its next message if its registration was flushed; lost subscriptions are restored by a ping', async () => {
    const { backend, redis, open, say, received, closed } = await setup();
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await open('one');
    await say('one', { action: 'subscribe', topic: `task:${task_id}` });
    const [{ organization_id }] = await backend.ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;
    expect(await redis.del(`ws:topic:${organization_id}:task:${task_id}`)).toBe(1);

    await say('one', { action: 'ping', topics: [`task:${task_id}`] });
    expect(received('one').at(-1)).toEqual({ type: 'pong' });
    await backend.admin.ok.cancelTask({ params: { task_id } });
    await expect.poll(() => received('one').some((frame) => frame.type === 'events'), { timeout: 15_000 }).toBe(true);

    await redis.flushall();
    await say('one', { action: 'ping', topics: [] });
    expect([...closed]).toEqual(['one']);
  });

  it('receives an error when its subscriptions cannot be restored, instead of silence', async () => {
    const { backend, open, posted, received } = await setup();
    await open('one');
    const deaf = socket({ ...backend.ctx, sockets: { ...backend.ctx.sockets, subscribe: async () => false } });

    await deaf(event('MESSAGE', 'one', { body: JSON.stringify({ action: 'ping', topics: ['tasks', 'checkpoints'] }) }));

    expect(received('one').at(-1)).toMatchObject({ type: 'error', code: 'unavailable' });
    expect(posted.size).toBe(1);
  });

  it('that does not read is closed and forgotten: its client reconnects and catches up', async () => {
    const { backend, redis, open, say, closed, slow } = await setup();
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await open('one');
    await say('one', { action: 'subscribe', topic: `task:${task_id}` });

    slow.add('one');
    await backend.admin.ok.cancelTask({ params: { task_id } });

    await expect.poll(() => redis.exists('ws:connection:one'), { timeout: 15_000 }).toBe(0);
    expect([...closed]).toEqual(['one']);
  });

  it('leaves nothing in Redis that outlives it', async () => {
    const { backend, redis, open, say } = await setup();
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await open('one');
    await say('one', { action: 'subscribe', topic: 'tasks' });
    await say('one', { action: 'ping', topics: [`task:${task_id}`] });

    const keys = await keysOf(redis, 'ws:*');
    const ttls = await Promise.all(keys.map((key) => redis.ttl(key)));

    expect(keys).toHaveLength(3);
    expect(ttls.filter((seconds) => seconds <= 0 || seconds > 7_800)).toEqual([]);
  });

  it('that is closed is forgotten', async () => {
    const { backend, redis, open, say, closed } = await setup();
    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await open('one');
    await say('one', { action: 'subscribe', topic: `task:${task_id}` });

    closed.add('one');
    await backend.admin.ok.cancelTask({ params: { task_id } });

    await expect.poll(() => redis.exists('ws:connection:one'), { timeout: 15_000 }).toBe(0);
  });
});

describe.skipIf(NO_REDIS)('a worker', () => {
  it('that is free gets a doorbell for ready subtasks, and a directive when a subtask that it runs is cancelled', async () => {
    const { backend, connect, ticketOf, say, received } = await setup();
    const worker = await enrol(backend);
    const topic = `worker:${worker.worker_id}`;
    await worker.heartbeat();
    await connect('w', ticketOf((await worker.as.ok.createWorkerTicket({ params: { worker_id: worker.worker_id } })).url));
    await say('w', { action: 'subscribe', topic });
    await expect
      .poll(async () => (await backend.ctx.hints.online((await backend.newKey()).organization_id)).length, { timeout: 15_000 })
      .toBe(1);

    const { task_id } = await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await expect.poll(() => received('w').map((frame) => frame.type), { timeout: 15_000 }).toContain('doorbell');
    const [claimed] = await worker.claim();
    await backend.admin.ok.cancelTask({ params: { task_id } });

    await expect
      .poll(() => received('w'), { timeout: 15_000 })
      .toContainEqual({
        type: 'directive',
        topic,
        directive: 'cancel',
        subtask_id: claimed?.subtask_id,
        attempt: 1,
      });
  });

  it('gets no doorbell while it is draining, gets one once it is active again, and followers receive both changes', async () => {
    const { backend, settle, connect, ticketOf, open, say, received } = await setup();
    const [drained, other] = [await enrol(backend), await enrol(backend)];
    for (const [id, { worker_id, as }] of [
      ['drained', drained],
      ['other', other],
    ] as const) {
      await as.ok.heartbeat({ params: { worker_id }, body: {} });
      await connect(id, ticketOf((await as.ok.createWorkerTicket({ params: { worker_id } })).url));
      await say(id, { action: 'subscribe', topic: `worker:${worker_id}` });
    }
    await settle(); // so that the follower receives nothing about the registrations
    await open('follower');
    await say('follower', { action: 'subscribe', topic: 'workers' });
    const before = { drained: received('drained').length, other: received('other').length };
    const params = { worker_id: drained.worker_id };
    const { version } = await backend.admin.ok.updateWorker({ params, body: { version: 1, mode: 'draining' } });
    await settle();

    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await expect.poll(() => received('other').length, { timeout: 15_000 }).toBeGreaterThan(before.other);
    await settle();
    expect(received('drained')).toHaveLength(before.drained);
    await backend.admin.ok.updateWorker({ params, body: { version, mode: 'active' } });

    await expect.poll(() => received('drained').at(-1)?.type, { timeout: 15_000 }).toBe('doorbell');
    const updates = received('follower').filter(({ type }) => type === 'worker');
    expect(updates).toMatchObject(['draining', 'active'].map((mode) => ({ type: 'worker', worker: { mode, ...params } })));
  });

  it('is shown to followers as busy, free again and dead, as it becomes each of them', async () => {
    const { backend, settle, redis, open, say, received } = await setup();
    const worker = await enrol(backend, { slots: 1 });
    const params = { worker_id: worker.worker_id };
    await backend.admin.ok.submitTask({ body: { goal: 'x' } });
    await worker.heartbeat();
    const [it] = await worker.claim();
    if (it === undefined) throw new Error('nothing was claimed');
    await settle();
    await open('follower');
    await say('follower', { action: 'subscribe', topic: 'workers' });
    const beat = async (leases: { subtask_id: string; lease_token: string; attempt: number }[]) => {
      await worker.as.ok.heartbeat({ params, body: { slots: 1, leases } });
      await settle();
    };
    const held = [{ subtask_id: it.subtask_id, ...worker.fence(it) }];

    await beat(held);
    await beat(held);
    await worker.complete(it);
    await beat([]);
    await redis.del(`workers:${worker.worker_id}:status`); // as its time to live does
    await tick(backend.ctx);

    const frames = () => received('follower').filter((frame) => frame.type === 'worker');
    await expect.poll(frames, { timeout: 15_000 }).toEqual(
      ['busy', 'online', 'offline'].map((status) => ({
        type: 'worker',
        topic: 'workers',
        worker: { ...params, mode: 'active', status },
      })),
    );
  });

  it.each([
    ['its attempt failed and may be repeated', (it: Held) => it.worker.fail(it.claimed)],
    ['its worker gave it back', (it: Held) => it.worker.release(it.claimed)],
    [
      'its lease ran out',
      async ({ backend }: Held) => {
        await backend.ctx.sql`update attempts set lease_expires_at = clock_timestamp() - interval '1 second'`;
        expect(await endOverdue(backend.ctx)).toMatchObject({ reaped: 1 });
      },
    ],
    ['its worker was removed', ({ backend, worker: { worker_id } }: Held) => backend.admin.ok.deleteWorker({ params: { worker_id } })],
    [
      'its task is retried',
      async ({ backend, claimed: { task_id } }: Held) => {
        await backend.admin.ok.cancelTask({ params: { task_id } });
        await backend.admin.ok.retryTask({ params: { task_id } });
      },
    ],
  ])('gets a doorbell only from the queue for a subtask that is ready again because %s', async (_, giveBack) => {
    const { backend, settle, connect, ticketOf, say, received } = await setup();
    const worker = await enrol(backend);
    const retry = { on: ['tool_error' as const], base_ms: 100, max_ms: 100 };
    await backend.admin.ok.submitTask({ body: { goal: 'x', subtasks: [{ key: 'a', goal: 'a', retry }] } });
    const [claimed] = await worker.claim();
    if (claimed === undefined) throw new Error('nothing was claimed');
    const free = await enrol(backend, { name: 'free' });
    await free.heartbeat();
    await settle();
    await connect('w', ticketOf((await free.as.ok.createWorkerTicket({ params: { worker_id: free.worker_id } })).url));
    await say('w', { action: 'subscribe', topic: `worker:${free.worker_id}` });
    const bells = () => received('w').filter(({ type }) => type === 'doorbell').length;
    expect(bells()).toBe(0);

    await giveBack({ backend, worker, claimed });

    await expect.poll(bells, { timeout: 15_000 }).toBeGreaterThan(0);
    expect(await free.claim()).toMatchObject([{ subtask_id: claimed.subtask_id }]);
  });
});
