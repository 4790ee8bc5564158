import type { WorkerMode } from '../../../schema/states.ts';
import { PRESENCE_SECONDS, type Worker } from '../../../schema/worker.ts';
import type { Hints, LiveWorker, RecordedWorker } from '../../domain/ports/hints.ts';
import type { WorkerIdentity } from '../../domain/principal.ts';
import { hashOf } from '../redis.ts';
import { CHANNELS, keys } from './redis-keys.ts';
import type { CountRead, Pipeline, Tell } from './tell.ts';

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
  // Also before its first heartbeat, so that its end is noticed where none comes.
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

/** What was noted of a worker, with what its heartbeats have said since. */
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

type Presence = Pick<
  Hints,
  'beat' | 'recordWorker' | 'readWorker' | 'publishWorkers' | 'online' | 'presence' | 'findExpired' | 'forgetExpired'
>;

export const createPresenceHints = (tell: Tell, count: CountRead): Presence => {
  /** Null when Redis can't be asked: then nobody is taken for gone. */
  const readStatuses = async (workerIds: readonly string[]): Promise<(Status | null)[] | null> => {
    if (workerIds.length === 0) return [];
    const replies = await tell((pipeline) => pipeline.mget(workerIds.map(keys.status)));
    return (replies?.[0] ?? null) as (Status | null)[] | null;
  };
  /** Whether workers have registered within the last 120 s and not sent a heartbeat yet. Null when Redis can't be asked. */
  const readNew = async (workerIds: readonly string[]): Promise<boolean[] | null> => {
    const replies = await tell((pipeline) => {
      for (const id of workerIds) pipeline.hmget(keys.info(id), 'worker', 'last_seen_at');
    });
    return replies?.map((fields) => (fields as unknown[])[0] !== null && (fields as unknown[])[1] === null) ?? null;
  };
  return {
    online: async (organizationId) => {
      const members = (await tell((pipeline) => pipeline.smembers(keys.online(organizationId))))?.[0] as string[] | undefined;
      if (members === undefined || members.length === 0) return [];
      const told = await tell((pipeline) => {
        for (const id of members) {
          pipeline.get(keys.status(id));
          pipeline.hgetall(keys.info(id));
        }
      });
      if (told === null) return [];
      return members.map((id, at) => liveWorker(id, told[2 * at] as Status | null, told[2 * at + 1])).filter((worker) => worker !== null);
    },
    beat: async ({ worker_id, organization_id }, { running, slots, info }) => {
      const status: Status = slots !== null && running >= slots ? 'busy' : 'online';
      const told = await tell((pipeline) => {
        pipeline.hmget(keys.info(worker_id), 'mode', 'info:agent_version', 'last_seen_at');
        pipeline.get(keys.status(worker_id));
        pipeline.set(keys.status(worker_id), status, { ex: PRESENCE_SECONDS });
        pipeline.hset(keys.info(worker_id), { ...flat(info), running: String(running), last_seen_at: new Date().toISOString() });
        pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
        addPresent(pipeline, organization_id, worker_id);
      });
      if (told === null) return null;
      const [mode, agentVersion, lastSeenAt] = told[0] as (string | null)[];
      // Before its first heartbeat a worker was announced as online when it registered.
      const before = told[1] ?? (lastSeenAt === null ? 'online' : null);
      return { mode: mode as WorkerMode | null, agentVersion: agentVersion ?? null, isChanged: before !== status };
    },
    recordWorker: async (worker) => (await tell((pipeline) => recordWorker(pipeline, worker))) !== null,
    readWorker: async (organizationId, workerId) => {
      const told = await tell((pipeline) => {
        pipeline.get(keys.status(workerId));
        pipeline.hgetall(keys.info(workerId));
      });
      const worker = told === null ? null : merged(organizationId, told[0] as Status | null, told[1]);
      count('worker', worker !== null);
      return worker;
    },
    publishWorkers: async (updates) => {
      const told = await tell((pipeline) => {
        for (const { organization_id, worker_id, status, mode } of updates)
          pipeline.publish(CHANNELS.worker, JSON.stringify({ organization_id, worker_id, status, mode }));
      });
      return told !== null;
    },
    presence: async (workerIds) => (await readStatuses(workerIds)) ?? workerIds.map(() => null),
    findExpired: async () => {
      const organizations = ((await tell((pipeline) => pipeline.smembers(keys.present)))?.[0] ?? []) as string[];
      const members = (await tell((pipeline) => {
        for (const id of organizations) pipeline.smembers(keys.online(id));
      })) as string[][] | null;
      const workers = organizations.flatMap((organization_id, at) =>
        (members?.[at] ?? []).map((worker_id) => ({ worker_id, organization_id })),
      );
      const statuses = await readStatuses(workers.map(({ worker_id }) => worker_id));
      const empty = organizations.filter((_, at) => members?.[at]?.length === 0);
      if (empty.length > 0) await tell((pipeline) => pipeline.srem(keys.present, ...empty));
      const silent = statuses === null ? [] : workers.filter((_, at) => statuses[at] === null);
      const areNew = await readNew(silent.map(({ worker_id }) => worker_id));
      return areNew === null ? [] : silent.filter((_, at) => !areNew[at]);
    },
    forgetExpired: async (workers) => {
      if (workers.length === 0) return [];
      const told = await tell((pipeline) => {
        for (const { organization_id, worker_id } of workers) pipeline.srem(keys.online(organization_id), worker_id);
        pipeline.mget(workers.map(({ worker_id }) => keys.status(worker_id)));
      });
      const statuses = (told?.at(-1) ?? []) as (Status | null)[];
      const returned = workers.flatMap((worker, at) => {
        const status = statuses[at] ?? null;
        return status === null ? [] : [{ ...worker, status }];
      });
      await tell((pipeline) => {
        for (const { organization_id, worker_id } of returned) addPresent(pipeline, organization_id, worker_id);
      });
      return returned;
    },
  };
};
