import type { WorkerMode } from '../../../schema/states.ts';
import { PRESENCE_SECONDS, type Worker } from '../../../schema/worker.ts';
import type { Beat, Hints, LiveWorker, RecordedWorker } from '../../domain/ports/hints.ts';
import type { WorkerIdentity } from '../../domain/principal.ts';
import { hashOf } from '../redis.ts';
import { CHANNELS, keys } from './redis-keys.ts';
import type { CountRead, Pipeline, SendCommands } from './send-commands.ts';

type Status = 'online' | 'busy';

const flat = (info: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(info).map(([name, value]) => [`info:${name}`, typeof value === 'string' ? value : JSON.stringify(value)]),
  );

const addPresent = (pipeline: Pipeline, organizationId: string, workerId: string) => {
  pipeline.sadd(keys.online(organizationId), workerId);
  pipeline.sadd(keys.present, organizationId);
};

const keep = (pipeline: Pipeline, { organization_id, deleted: _, ...worker }: RecordedWorker) => {
  const { worker_id, mode, machine_name, tools } = worker;
  const fields = { mode, machine_name, tools: JSON.stringify(tools), organization_id, worker: JSON.stringify(worker) };
  pipeline.hset(keys.info(worker_id), fields);
  pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
  // Even before its first heartbeat, so that a worker that never sends one is found to be gone.
  if (worker.status !== 'offline') addPresent(pipeline, organization_id, worker_id);
};

export const forgetWorker = (pipeline: Pipeline, { organization_id, worker_id }: WorkerIdentity) => {
  pipeline.del(keys.status(worker_id), keys.info(worker_id));
  pipeline.srem(keys.online(organization_id), worker_id);
};

export const recordWorker = (pipeline: Pipeline, worker: RecordedWorker) => {
  if (worker.deleted) forgetWorker(pipeline, worker);
  else keep(pipeline, worker);
};

const liveWorker = (worker_id: string, status: Status | null, info: unknown): LiveWorker | null => {
  const known = hashOf(info ?? []);
  if (status === null || known?.tools === undefined) return null;
  return { worker_id, status, mode: (known.mode ?? 'active') as WorkerMode, tools: JSON.parse(known.tools) as string[] };
};

/** The stored worker, updated by its heartbeats since. */
const merged = (organizationId: string, status: Status | null, info: unknown): Worker | null => {
  const known = hashOf(info ?? []);
  if (status === null || known?.worker === undefined || known.organization_id !== organizationId) return null;
  const worker = JSON.parse(known.worker) as Worker;
  return {
    ...worker,
    status,
    running: Number(known.running ?? worker.running),
    agent_version: known['info:agent_version'] ?? worker.agent_version,
    last_seen_at: known.last_seen_at ?? worker.last_seen_at,
  };
};

const idsOf = (workers: readonly WorkerIdentity[]) => workers.map(({ worker_id }) => worker_id);

/** Null if Redis is unavailable: then no worker counts as gone. */
const readStatuses = async (send: SendCommands, workerIds: readonly string[]): Promise<(Status | null)[] | null> => {
  if (workerIds.length === 0) return [];
  const replies = await send((pipeline) => pipeline.mget(workerIds.map(keys.status)));
  return (replies?.[0] ?? null) as (Status | null)[] | null;
};

/** Whether workers have registered within the last 120 s and not sent a heartbeat yet. Null if Redis is unavailable. */
const readNew = async (send: SendCommands, workerIds: readonly string[]): Promise<boolean[] | null> => {
  const replies = await send((pipeline) => {
    for (const id of workerIds) pipeline.hmget(keys.info(id), 'worker', 'last_seen_at');
  });
  return replies?.map((fields) => (fields as unknown[])[0] !== null && (fields as unknown[])[1] === null) ?? null;
};

const readOnline = async (send: SendCommands, organizationId: string): Promise<LiveWorker[]> => {
  const members = (await send((pipeline) => pipeline.smembers(keys.online(organizationId))))?.[0] as string[] | undefined;
  if (members === undefined || members.length === 0) return [];
  const replies = await send((pipeline) => {
    for (const id of members) {
      pipeline.get(keys.status(id));
      pipeline.hgetall(keys.info(id));
    }
  });
  if (replies === null) return [];
  return members.map((id, at) => liveWorker(id, replies[2 * at] as Status | null, replies[2 * at + 1])).filter((worker) => worker !== null);
};

const beat = async (send: SendCommands, { worker_id, organization_id }: WorkerIdentity, { running, slots, info }: Beat) => {
  const status: Status = slots !== null && running >= slots ? 'busy' : 'online';
  const replies = await send((pipeline) => {
    pipeline.hmget(keys.info(worker_id), 'mode', 'info:agent_version', 'last_seen_at', 'announced');
    pipeline.set(keys.status(worker_id), status, { ex: PRESENCE_SECONDS });
    pipeline.hset(keys.info(worker_id), {
      ...flat(info),
      running: String(running),
      last_seen_at: new Date().toISOString(),
      announced: status,
    });
    pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
    addPresent(pipeline, organization_id, worker_id);
  });
  if (replies === null) return null;
  const [mode, agentVersion, lastSeenAt, announced = null] = replies[0] as (string | null)[];
  // A worker that has not sent a heartbeat yet was announced as online when it registered.
  const before = announced ?? (lastSeenAt === null ? 'online' : null);
  return { mode: mode as WorkerMode | null, agentVersion: agentVersion ?? null, isChanged: before !== status };
};

const findExpired = async (send: SendCommands): Promise<WorkerIdentity[]> => {
  const organizations = ((await send((pipeline) => pipeline.smembers(keys.present)))?.[0] ?? []) as string[];
  const members = (await send((pipeline) => {
    for (const id of organizations) pipeline.smembers(keys.online(id));
  })) as string[][] | null;
  const workers = organizations.flatMap((organization_id, at) =>
    (members?.[at] ?? []).map((worker_id) => ({ worker_id, organization_id })),
  );
  const statuses = await readStatuses(send, idsOf(workers));
  const empty = organizations.filter((_, at) => members?.[at]?.length === 0);
  if (empty.length > 0) await send((pipeline) => pipeline.srem(keys.present, ...empty));
  const silent = statuses === null ? [] : workers.filter((_, at) => statuses[at] === null);
  const areNew = await readNew(send, idsOf(silent));
  return areNew === null ? [] : silent.filter((_, at) => !areNew[at]);
};

const forgetExpired = async (send: SendCommands, workers: readonly WorkerIdentity[]) => {
  if (workers.length === 0) return [];
  const replies = await send((pipeline) => {
    for (const { organization_id, worker_id } of workers) {
      pipeline.srem(keys.online(organization_id), worker_id);
      pipeline.hdel(keys.info(worker_id), 'announced');
    }
    pipeline.mget(idsOf(workers).map(keys.status));
  });
  const statuses = (replies?.at(-1) ?? []) as (Status | null)[];
  const returned = workers.flatMap((worker, at) => {
    const status = statuses[at] ?? null;
    return status === null ? [] : [{ ...worker, status }];
  });
  await send((pipeline) => {
    for (const { organization_id, worker_id } of returned) addPresent(pipeline, organization_id, worker_id);
  });
  return returned;
};

type Presence = Pick<
  Hints,
  'beat' | 'recordWorker' | 'readWorker' | 'publishWorkers' | 'online' | 'presence' | 'findExpired' | 'forgetExpired'
>;

export const createPresenceHints = (send: SendCommands, count: CountRead): Presence => ({
  online: (organizationId) => readOnline(send, organizationId),
  beat: (worker, state) => beat(send, worker, state),
  recordWorker: async (worker) => (await send((pipeline) => recordWorker(pipeline, worker))) !== null,
  readWorker: async (organizationId, workerId) => {
    const replies = await send((pipeline) => {
      pipeline.get(keys.status(workerId));
      pipeline.hgetall(keys.info(workerId));
    });
    const worker = replies === null ? null : merged(organizationId, replies[0] as Status | null, replies[1]);
    count('worker', worker !== null);
    return worker;
  },
  publishWorkers: async (updates) => {
    const replies = await send((pipeline) => {
      for (const { organization_id, worker_id, status, mode } of updates)
        pipeline.publish(CHANNELS.worker, JSON.stringify({ organization_id, worker_id, status, mode }));
    });
    return replies !== null;
  },
  presence: async (workerIds) => (await readStatuses(send, workerIds)) ?? workerIds.map(() => null),
  findExpired: () => findExpired(send),
  forgetExpired: (workers) => forgetExpired(send, workers),
});
