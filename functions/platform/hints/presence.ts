import type { WorkerMode } from '../../../schema/states.ts';
import type { Hints, LiveWorker } from '../../domain/hints.ts';
import { hashOf } from '../redis.ts';
import { CHANNELS, keys, PRESENCE_SECONDS } from './keys.ts';
import type { Tell } from './tell.ts';

const flat = (info: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(info).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));

export const createPresenceHints = (tell: Tell): Pick<Hints, 'beat' | 'noteWorker' | 'online'> => ({
  beat: async ({ worker_id, organization_id }, beat) => {
    const told = await tell((pipeline) => {
      pipeline.hget(keys.info(worker_id), 'mode');
      pipeline.set(keys.status(worker_id), beat.isBusy ? 'busy' : 'online', { ex: PRESENCE_SECONDS });
      pipeline.hset(keys.info(worker_id), flat(beat.info));
      pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
      pipeline.sadd(keys.online(organization_id), worker_id);
    });
    return told === null ? null : { mode: told[0] as WorkerMode | null };
  },
  noteWorker: async ({ worker_id, organization_id, mode, tools, version, deleted }) => {
    const told = await tell((pipeline) => {
      if (deleted) {
        pipeline.del(keys.status(worker_id), keys.info(worker_id));
        pipeline.srem(keys.online(organization_id), worker_id);
      } else {
        pipeline.hset(keys.info(worker_id), { mode, tools: JSON.stringify(tools) });
        pipeline.expire(keys.info(worker_id), PRESENCE_SECONDS);
      }
      pipeline.publish(CHANNELS.worker, JSON.stringify({ organization_id, worker_id, mode, version, deleted }));
    });
    return told !== null;
  },
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
    const workers = members.map((id, at) => liveWorker(id, told[2 * at] as LiveWorker['status'] | null, told[2 * at + 1]));
    const gone = members.filter((_, at) => told[2 * at] === null);
    if (gone.length > 0) await tell((pipeline) => pipeline.srem(keys.online(organizationId), ...gone));
    return workers.filter((worker) => worker !== null);
  },
});

const liveWorker = (worker_id: string, status: LiveWorker['status'] | null, info: unknown): LiveWorker | null => {
  const known = hashOf(info ?? []);
  if (status === null || known?.tools === undefined) return null;
  return { worker_id, status, mode: (known.mode ?? 'active') as WorkerMode, tools: JSON.parse(known.tools) as string[] };
};
