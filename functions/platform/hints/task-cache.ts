import type { ChangedTask, Hints } from '../../domain/ports/hints.ts';
import type { Task } from '../../../schema/task.ts';
import { hashOf } from '../redis.ts';
import { keys, TASK_SECONDS } from './redis-keys.ts';
import type { CountRead, Pipeline, SendCommands } from './send-commands.ts';

export const outdate = (pipeline: Pipeline, changed: readonly ChangedTask[]) => {
  for (const { task_id, last_seq } of changed) {
    pipeline.zadd(keys.seen(task_id), { gt: true }, { score: last_seq, member: 'last_seq' });
    pipeline.expire(keys.seen(task_id), TASK_SECONDS);
  }
};

export const createTaskHints = (send: SendCommands, count: CountRead): Pick<Hints, 'readTask'> => ({
  /** Reads the cached task before the highest recorded event number, so that no response is older than an earlier one. */
  readTask: async (organizationId, taskId) => {
    const replies = await send((pipeline) => {
      pipeline.hgetall(keys.task(taskId));
      pipeline.zscore(keys.seen(taskId), 'last_seq');
    });
    const cached = replies === null ? null : hashOf(replies[0] ?? []);
    const isGood =
      cached?.organization_id === organizationId && Number(cached.last_seq) >= Number(replies?.[1] ?? Number.POSITIVE_INFINITY);
    count('task', isGood);
    return isGood ? (JSON.parse(cached.task ?? 'null') as Task | null) : null;
  },
});
