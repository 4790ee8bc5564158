import { randomUUID } from 'node:crypto';
import type { SQSRecord } from 'aws-lambda';
import type { QueueName } from '../../../../schema/queue.ts';
import type { QueueMessage, Queues } from '../../../../functions/domain/ports/queues.ts';
import { openPool } from '../../../../functions/platform/pool.ts';
import { createRedis } from '../../../../functions/platform/redis.ts';
import { consume } from '../../../../functions/queue/consume.ts';
import type { Route } from '../../../../schema/route.ts';
import { PATIENCE_MS } from '../../../support/redis-kind.ts';
import { openTestRedis } from '../../../support/redis.ts';
import { fakePush } from '../../live/support/live.ts';
import { requestOf, type Sample, type Variant } from './samples.ts';
import { createWorld } from './world.ts';

const WATCHER = 'watcher';

type Queued = { queue: QueueName; message: QueueMessage };
/** The effects of a request outside of Postgres. `early`: its calls while one of its transactions was open. */
type Seen = { redis: unknown[][]; queued: Queued[]; early: string[] };

const recordOf = ({ message }: Queued) =>
  ({ messageId: randomUUID(), body: message.body, attributes: { ApproximateReceiveCount: '1' } }) as SQSRecord;

/** The counts of cache reads are sent with the next command, whichever that is. */
const isCount = (command: readonly unknown[]) => String(command[1]).startsWith('metrics:');

const commandsOf = (body: unknown): unknown[][] => {
  const given = body as unknown[] | unknown[][];
  return (Array.isArray(given[0]) ? given : [given]) as unknown[][];
};

/** The content of a message, without the number of its outbox row. */
const shown = ({ queue, message: { body, delaySeconds = 0 } }: Queued) => {
  const { outbox_id: _, ...content } = JSON.parse(body) as Record<string, unknown>;
  return { queue, delaySeconds, ...content };
};

/** Equal for two runs that differ only in ids, times and the turns of subtasks. */
const comparable = (effects: object): unknown => {
  const ids: string[] = [];
  const numbered = (id: string) => {
    if (!ids.includes(id)) ids.push(id);
    return `id-${ids.indexOf(id)}`;
  };
  const text = JSON.stringify(effects)
    .replace(/("zadd","task_queue:pending:[^"]*",)"?\d+"?/g, '$1"rank"')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
    .replace(/\d{13}-[0-9a-f-]{36}/g, 'generation')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}(-[0-9a-f]{4}-[0-9a-f]{12})?/g, numbered);
  return JSON.parse(text) as unknown;
};

/** A world that records the effects of requests on Redis, queues and sockets. */
export const createObservedWorld = async () => {
  const requester = openTestRedis();
  const seen: Seen = { redis: [], queued: [], early: [] };
  const { push, posted } = fakePush();
  let isTransactionOpen = async () => false;
  const call = async (what: string) => {
    if (await isTransactionOpen()) seen.early.push(what);
  };
  const redis = createRedis(
    {
      requester: {
        request: async (it) => {
          const commands = commandsOf(it.body);
          await call(`Redis ${commands[0]?.[0]}`);
          seen.redis.push(...commands.filter((command) => !isCount(command)));
          return requester.request(it);
        },
      },
    },
    { timeoutMs: PATIENCE_MS },
  );
  const queues: Queues = {
    send: async (queue, messages) => {
      await call(`queue ${queue}`);
      seen.queued.push(...messages.map((message) => ({ queue, message })));
      return [];
    },
    bury: async () => {},
    listDead: async () => ({ letters: [], total: 0 }),
    redrive: async () => 0,
  };
  const world = await createWorld({ redis, queues, push });
  const { ctx, url, send } = world.backend;
  const observer = openPool(url);
  isTransactionOpen = async () => {
    const open = await observer`
      select from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`;
    return open.length > 0;
  };
  const [{ organization_id }] = await ctx.sql<[{ organization_id: string }]>`select organization_id from organizations`;

  const take = <T>(list: T[]): T[] => list.splice(0);
  /** Delivers the messages to their consumers, including those that the consumers send. */
  const deliver = async (first: readonly Queued[]) => {
    for (let messages = first; messages.length > 0; messages = take(seen.queued))
      for (const [queue, those] of Map.groupBy(messages, (it) => it.queue)) {
        const { batchItemFailures } = await consume(ctx, queue)({ Records: those.map(recordOf) });
        if (batchItemFailures.length > 0) throw new Error(`the queue ${queue} failed`);
      }
  };
  const watch = async ({ params = {} }: Sample) => {
    const own = Object.entries(params).map(([name, id]) => `${name.replace(/_id$/, '')}:${id}`);
    await ctx.sockets.add(WATCHER, { kind: 'caller', id: randomUUID(), organization_id, owner_id: null });
    await ctx.sockets.subscribe(WATCHER, organization_id, ['tasks', 'workers', ...own]);
  };
  const forget = () => {
    for (const list of Object.values(seen)) take<unknown>(list);
    posted.clear();
  };

  /** The effects of one request: immediate ones, and later ones by the messages that it sends. */
  const effectsOf = async (route: Route, { make }: Variant, key: string | null) => {
    const sample = await make(world);
    await deliver(take(seen.queued));
    await watch(sample);
    forget();
    const headers = { ...sample.headers, ...(key === null ? {} : { 'idempotency-key': key }) };
    const { status } = await send(requestOf(route, { ...sample, headers }));
    const early = take(seen.early);
    const queued = take(seen.queued);
    const atOnce = { redis: take(seen.redis), queued: queued.map(shown) };
    await deliver(queued);
    const later = { redis: take(seen.redis), pushed: posted.get(WATCHER) ?? [] };
    return { status, early, effects: comparable({ atOnce, later }) };
  };

  return {
    ...world,
    effectsOf,
    close: async () => {
      await observer.end();
      await world.close();
      await requester.close();
    },
  };
};
