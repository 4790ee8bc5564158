import type { ChangedTask, Hints } from '../../domain/ports/hints.ts';
import type { Task } from '../../../schema/task.ts';
import { hashOf } from '../redis.ts';
import { keys, TASK_SECONDS } from './redis-keys.ts';
import type { CountRead, Pipeline, Tell } from './tell.ts';

export const outdate = (pipeline: Pipeline, changed: readonly ChangedTask[]) => {
  for (const { task_id, last_seq } of changed) {
    pipeline.zadd(keys.seen(task_id), { gt: true }, { score: last_seq, member: 'last_seq' });
    pipeline.expire(keys.seen(task_id), TASK_SECONDS);
  }
};

export const createTaskHints = (tell: Tell, count: CountRead): Pick<Hints, 'readTask'> => ({
  /** What is cached is read before the newest number that was noted: what is answered is no older than what was answered before. */
  readTask: async (organizationId, taskId) => {
    const told = await tell((pipeline) => {
      pipeline.hgetall(keys.task(taskId));
      pipeline.zscore(keys.seen(taskId), 'last_seq');
    });
    const cached = told === null ? null : hashOf(told[0] ?? []);
    const isGood = cached?.organization_id === organizationId && Number(cached.last_seq) >= Number(told?.[1] ?? Number.POSITIVE_INFINITY);
    count('task', isGood);
    return isGood ? (JSON.parse(cached.task ?? 'null') as Task | null) : null;
  },
});
