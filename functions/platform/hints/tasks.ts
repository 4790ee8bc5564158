import type { Hints } from '../../domain/hints.ts';
import type { Task } from '../../../schema/task.ts';
import { hashOf } from '../redis.ts';
import { keys } from './keys.ts';
import { outdate } from './queue.ts';
import type { Tell } from './tell.ts';

export const createTaskHints = (tell: Tell): Pick<Hints, 'readTask' | 'outdate'> => ({
  /** What is cached is read before the newest version that was noted: what is answered is no older than what was answered before. */
  readTask: async (organizationId, taskId) => {
    const told = await tell((pipeline) => {
      pipeline.hgetall(keys.task(taskId));
      pipeline.zscore(keys.seen(taskId), 'version');
    });
    const cached = told === null ? null : hashOf(told[0] ?? []);
    if (cached === null || cached.organization_id !== organizationId) return null;
    if (Number(cached.version) < Number(told?.[1] ?? Number.POSITIVE_INFINITY)) return null;
    return JSON.parse(cached.task ?? 'null') as Task | null;
  },
  outdate: async (taskId, version) => (await tell((pipeline) => outdate(pipeline, taskId, version))) !== null,
});
