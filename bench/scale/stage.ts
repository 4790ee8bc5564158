import { createHash, randomUUID } from 'node:crypto';
import * as attempts from '../../functions/domain/attempts/attempts.ts';
import { heartbeat } from '../../functions/domain/attempts/heartbeat.ts';
import type { BlobStore } from '../../functions/domain/ports/blobs.ts';
import type { Context } from '../../functions/domain/context.ts';
import type { OutboxRow } from '../../functions/domain/outbox/outbox.sql.ts';
import type { Caller, WorkerPrincipal } from '../../functions/domain/principal.ts';
import * as subtasks from '../../functions/domain/subtasks/subtasks.ts';
import * as tasks from '../../functions/domain/tasks/tasks.ts';
import { commit } from '../../functions/domain/unit-of-work.ts';
import { createHints } from '../../functions/platform/hints.ts';
import { type Composed, createContext } from '../../functions/platform/context.ts';
import { createRedis } from '../../functions/platform/redis.ts';
import { createMemoryRedis } from '../../local/redis/memory.ts';
import type { Claimed } from '../../schema/attempt.ts';
import type { Env } from '../../schema/env.ts';
import { TaskSpec } from '../../schema/task.ts';
import { createOwner, createWorker, fanOutAndIn } from '../setup.ts';
import { meter, type Run } from './metered.ts';

const WORKERS = 20;
const BYTES = Buffer.from('what an attempt leaves');
export const FILE = { size_bytes: BYTES.length, sha256: createHash('sha256').update(BYTES).digest('hex') };
export const LOST_BLOB = randomUUID();

const transfer = { method: 'GET' as const, url: 'http://blobs.invalid/', headers: {}, expires_at: new Date(0).toISOString() };
/** Every file exists; one cannot be removed. */
const blobs: BlobStore = {
  upload: async () => ({ ...transfer, method: 'PUT' }),
  download: async () => transfer,
  stat: async () => FILE,
  remove: async (key) => {
    if (key === LOST_BLOB) throw new Error('the blob store refuses it');
  },
};

export type Stage = {
  /** Its statements are measured. */
  ctx: Context;
  /** The same with Redis, for scheduled operations. */
  withRedis: Context;
  /** The same connection, not measured, for preparation. */
  plain: Composed;
  caller: Caller;
  worker: WorkerPrincipal;
};

export type Actors = Pick<Stage, 'caller' | 'worker'>;

/** The first caller of a fresh database, and workers. */
export const createActors = async (env: Env): Promise<Actors> => {
  const ctx = createContext(env);
  try {
    const { caller } = await createOwner(ctx);
    const { principal } = await createWorker(ctx, caller);
    for (let n = 1; n < WORKERS; n++) await createWorker(ctx, caller);
    return { caller, worker: principal };
  } finally {
    await ctx.close();
  }
};

/** Assembles the backend on one connection to a database. `report` receives each statement. */
export const openStage = (env: Env, actors: Actors, report?: (run: Run) => void): Stage => {
  const redis = createRedis({ requester: createMemoryRedis() });
  const plain = createContext({ ...env, DATABASE_POOL_SIZE: 1 }, { blobs });
  const sql = report === undefined ? plain.sql : meter(plain.sql, report);
  const ctx: Context = { ...plain, sql, reads: (_key, read) => read(sql) };
  return { ...actors, plain, ctx, withRedis: { ...ctx, ...createHints(redis) } };
};

export const fence = ({ subtask_id, lease_token, attempt }: Claimed) => ({ subtask_id, lease_token, attempt });
export const nextClaim = (limit = 1) => ({ claim_request_id: randomUUID(), limit, start: true });

export const submitted = ({ plain, caller }: Stage, spec: TaskSpec = fanOutAndIn(2)) => tasks.submit(plain, caller, spec);
export const one = () => TaskSpec.parse({ goal: 'one', subtasks: [{ key: 'only', goal: 'x' }] });

/** Subtasks that the worker has started, each of its own task. */
export const held = async (at: Stage, count = 1): Promise<[Claimed, ...Claimed[]]> => {
  for (let n = 0; n < count; n++) await submitted(at);
  return (await attempts.claim(at.plain, at.worker, nextClaim(count))).claimed as [Claimed, ...Claimed[]];
};

/** Ends what the worker holds and empties the queue, so that each measurement has the same start. */
export const clear = async ({ plain, caller, worker }: Stage) => {
  const open = await plain.sql<{ task_id: string }[]>`select task_id from tasks where ended_at is null`;
  for (const { task_id } of open) await commit(plain, (unit) => tasks.cancel(unit, caller, task_id, ''));
  await heartbeat(plain, worker, { leases: [] });
  await plain.sql`delete from outbox`;
};

/** A leased subtask whose parent has stored a result. */
export const heldChild = async (at: Stage): Promise<Claimed> => {
  const [first] = await held(at);
  await attempts.complete(at.plain, at.worker, first.subtask_id, { ...fence(first), result: { words: 3 } });
  const { claimed } = await attempts.claim(at.plain, at.worker, nextClaim());
  return claimed[0] as Claimed;
};

/** The waiting rows of the outbox, as messages. */
export const inOutbox = ({ plain }: Stage) => plain.sql<OutboxRow[]>`
  select outbox_id, organization_id, topic, payload, 0 as delay_ms, null as request_id from outbox order by outbox_id`;

/** A finished task of the history; without a history, one is created and finished. */
export const finished = async (at: Stage): Promise<{ task_id: string; subtask_id: string }> => {
  const { items } = await tasks.list(at.plain, at.caller, { status: 'completed', limit: 1 });
  const [task] = items;
  if (task === undefined) {
    await submitted(at, one());
    const { claimed } = await attempts.claim(at.plain, at.worker, nextClaim());
    const [it] = claimed as [Claimed];
    await attempts.complete(at.plain, at.worker, it.subtask_id, { ...fence(it), result: 1 });
    return { task_id: it.task_id, subtask_id: it.subtask_id };
  }
  const page = await subtasks.list(at.plain, at.caller, task.task_id, { limit: 1 });
  return { task_id: task.task_id, subtask_id: page.items[0]?.subtask_id ?? '' };
};
