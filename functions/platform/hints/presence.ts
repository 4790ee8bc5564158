import type { WorkerMode } from '../../../schema/states.ts';
import { PRESENCE_SECONDS, type Worker } from '../../../schema/worker.ts';
import type { Hints, LiveWorker, NotedWorker } from '../../domain/hints.ts';
import { hashOf } from '../redis.ts';
import { CHANNELS, keys } from './keys.ts';
import { outdate } from './tasks.ts';
import type { CountRead, Pipeline, Tell } from './tell.ts';

type Status = 'online' | 'busy';

const flat = (info: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(info).map(([name, value]) => [`info:${name}`, typeof value === 'string' ? value : JSON.stringify(value)]),
  );

const publish = (pipeline: Pipeline, message: { organization_id: string; worker_id: string; status: string; mode?: string }) =>
  pipeline.publish(CHANNELS.worker, JSON.stringify(message));

const keep = (pipeline: Pipeline, { organization_id, deleted: _, ...worker }: NotedWorker) => {
  const { worker_id, mode, machine_name, tools } = worker;
  const fields = { mode, machine_name, tools: JSON.stringify(tools), organization_id, worker: JSON.stringify(worker) };
  pipeline.hset(keys.info(worker_id), fields);
  pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
};

const forget = (pipeline: Pipeline, organizationId: string, workerId: string) => {
  pipeline.del(keys.status(workerId), keys.info(workerId));
  pipeline.srem(keys.online(organizationId), workerId);
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

type Presence = Pick<Hints, 'beat' | 'noteWorker' | 'forgetWorker' | 'readWorker' | 'online' | 'presence' | 'sweepPresence'>;

export const createPresenceHints = (tell: Tell, count: CountRead): Presence => {
  const online: Presence['online'] = async (organizationId) => {
    const members = (await tell((pipeline) => pipeline.smembers(keys.online(organizationId))))?.[0] as string[] | undefined;
    if (members === undefined || members.length === 0) return [];
    const told = await tell((pipeline) => {
      for (const id of members) {
        pipeline.get(keys.status(id));
        pipeline.hgetall(keys.info(id));
      }
    });
    if (told === null) return [];
    const statuses = members.map((_, at) => told[2 * at] as Status | null);
    const gone = members.filter((_, at) => statuses[at] === null);
    await tell((pipeline) => {
      for (const worker_id of gone) {
        pipeline.srem(keys.online(organizationId), worker_id);
        publish(pipeline, { organization_id: organizationId, worker_id, status: 'offline' });
      }
    });
    return members.map((id, at) => liveWorker(id, statuses[at] ?? null, told[2 * at + 1])).filter((worker) => worker !== null);
  };
  return {
    online,
    beat: async ({ worker_id, organization_id }, { running, slots, info }) => {
      const told = await tell((pipeline) => {
        pipeline.hmget(keys.info(worker_id), 'mode', 'info:agent_version');
        pipeline.set(keys.status(worker_id), slots !== null && running >= slots ? 'busy' : 'online', { ex: PRESENCE_SECONDS });
        pipeline.hset(keys.info(worker_id), { ...flat(info), running: String(running), last_seen_at: new Date().toISOString() });
        pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
        pipeline.sadd(keys.online(organization_id), worker_id);
        pipeline.sadd(keys.present, organization_id);
      });
      if (told === null) return null;
      const [mode, agentVersion] = told[0] as [WorkerMode | null, string | null];
      return { mode, agentVersion };
    },
    noteWorker: async (worker) => {
      const { organization_id, worker_id, mode, deleted } = worker;
      const told = await tell((pipeline) => {
        if (deleted) forget(pipeline, organization_id, worker_id);
        else keep(pipeline, worker);
        publish(pipeline, { organization_id, worker_id, status: deleted ? 'offline' : 'online', mode });
      });
      return told !== null;
    },
    forgetWorker: async ({ organization_id, worker_id }, changed) => {
      const told = await tell((pipeline) => {
        forget(pipeline, organization_id, worker_id);
        outdate(pipeline, changed);
      });
      return told !== null;
    },
    readWorker: async (organizationId, workerId) => {
      const told = await tell((pipeline) => {
        pipeline.get(keys.status(workerId));
        pipeline.hgetall(keys.info(workerId));
      });
      const worker = told === null ? null : merged(organizationId, told[0] as Status | null, told[1]);
      count('worker', worker !== null);
      return worker;
    },
    presence: async (workerIds) => {
      const told = await tell((pipeline) => {
        if (workerIds.length > 0) pipeline.mget(workerIds.map(keys.status));
      });
      return (told?.[0] ?? workerIds.map(() => null)) as (Status | null)[];
    },
    sweepPresence: async () => {
      const told = await tell((pipeline) => pipeline.smembers(keys.present));
      for (const id of (told?.[0] ?? []) as string[]) await online(id);
    },
  };
};
