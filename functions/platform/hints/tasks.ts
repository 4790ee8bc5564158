import type { Hints } from '../../domain/hints.ts';
import type { Task } from '../../../schema/task.ts';
import { hashOf } from '../redis.ts';
import { keys } from './keys.ts';
import { outdate } from './queue.ts';
import type { CountRead, Tell } from './tell.ts';

export const createTaskHints = (tell: Tell, count: CountRead): Pick<Hints, 'readTask' | 'outdate'> => ({
  /** What is cached is read before the newest version that was noted: what is answered is no older than what was answered before. */
  readTask: async (organizationId, taskId) => {
    const told = await tell((pipeline) => {
      pipeline.hgetall(keys.task(taskId));
      pipeline.zscore(keys.seen(taskId), 'version');
    });
    const cached = told === null ? null : hashOf(told[0] ?? []);
    const isGood = cached?.organization_id === organizationId && Number(cached.version) >= Number(told?.[1] ?? Number.POSITIVE_INFINITY);
    count('task', isGood);
    return isGood ? (JSON.parse(cached.task ?? 'null') as Task | null) : null;
  },
  outdate: async (taskId, version) => (await tell((pipeline) => outdate(pipeline, taskId, version))) !== null,
});
