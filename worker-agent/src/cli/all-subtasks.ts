import type { Client } from '../../../schema/client/client.ts';
import { LIMITS } from '../../../schema/json.ts';
import type { Subtask } from '../../../schema/task.ts';

/** Every subtask of a task, page by page. */
export const subtasksOf = async (client: Client, taskId: string): Promise<Subtask[]> => {
  const all: Subtask[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: { items: Subtask[]; next_cursor: string | null } = await client.listSubtasks({
      params: { task_id: taskId },
      query: { limit: LIMITS.long_page, ...(cursor === null ? {} : { cursor }) },
    });
    all.push(...page.items);
    if (page.next_cursor === null) return all;
    cursor = page.next_cursor;
  }
};
