import { describe, expect, it } from 'vitest';
import { backendForTest } from '../support/backend.ts';

describe('pausing and resuming', () => {
  it('twice changes nothing: no new version, no event', async () => {
    const { admin } = await backendForTest();
    const { task_id, version } = await admin.ok.submitTask({ body: { goal: 'x' } });
    const params = { task_id };

    const resumed = await admin.ok.resumeTask({ params });
    const paused = [await admin.ok.pauseTask({ params }), await admin.ok.pauseTask({ params })];

    expect(resumed.version).toBe(version);
    expect(paused.map((it) => [it.paused, it.version])).toEqual([
      [true, version + 1],
      [true, version + 1],
    ]);
    const { items } = await admin.ok.listEvents({ params });
    expect(items.map((event) => event.type)).toEqual(['task.submitted', 'task.paused']);
  });
});
