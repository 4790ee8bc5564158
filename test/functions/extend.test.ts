import { describe, expect, it } from 'vitest';
import { backendForTest } from '../support/backend.ts';

describe('adding subtasks', () => {
  it('counts the existing dependencies of the task', async () => {
    const { admin } = await backendForTest();
    const parents = Array.from({ length: 100 }, (_, n) => `p${n}`);
    const subtask = (key: string, dependencies: string[] = []) => ({ key, goal: key, dependencies });
    const children = Array.from({ length: 49 }, (_, n) => subtask(`c${n}`, parents));
    const { task_id } = await admin.ok.submitTask({ body: { goal: 'x', subtasks: [...parents.map((key) => subtask(key)), ...children] } });
    const add = (key: string, dependencies: string[]) =>
      admin.addSubtasks({ params: { task_id }, body: { subtasks: [subtask(key, dependencies)] } });

    const filled = await add('last', parents);
    const refused = await add('surplus', ['p0']);

    expect(filled.status).toBe(201);
    expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_dag' } });
    expect((await admin.ok.getTask({ params: { task_id } })).subtask_count).toBe(150);
  });
});
