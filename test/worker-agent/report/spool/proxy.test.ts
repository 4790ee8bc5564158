import { describe, expect, it } from 'vitest';
import { agentForTest, holds } from '../../support/agent.ts';
import { startPlatform } from '../../support/fake-platform.ts';

describe('an answer from a proxy in front of the platform', { timeout: 60_000 }, () => {
  it.each([302, 401, 403, 404, 409, 413])('neither drops a result nor stops the worker: %d', async (proxyStatus) => {
    const platform = await startPlatform();
    const subtask = platform.add();
    let isInFront = true;
    platform.intercept('completeSubtasks', () => (isInFront ? { proxyStatus } : 'pass'));
    const worker = await agentForTest(platform);
    void worker.run();
    await holds(() => worker.events().includes('result.kept'));
    const before = platform.of('completeSubtasks').length;

    await holds(() => platform.of('completeSubtasks').length > before + 1);
    const inFront = worker.agent.spool.status;
    isInFront = false;
    await holds(() => worker.agent.spool.status === 'empty');

    expect(inFront).toBe('waiting');
    expect(platform.ended.get(subtask.subtask_id)?.kind).toBe('completed');
    expect(platform.of('failSubtask')).toEqual([]);
    expect(worker.events()).not.toContain('worker.revoked');
  });

  it('delays only the result that it concerns', async () => {
    const platform = await startPlatform();
    const [large, other] = [platform.add({ key: 'large' }), platform.add({ key: 'other' })];
    platform.intercept('completeSubtasks', ({ body }) =>
      body.completions.some(({ subtask_id }: { subtask_id: string }) => subtask_id === large.subtask_id) ? { proxyStatus: 413 } : 'pass',
    );
    const worker = await agentForTest(platform);
    void worker.run();

    await holds(() => platform.ended.has(other.subtask_id) && worker.agent.spool.entries === 1);

    expect(platform.ended.has(large.subtask_id)).toBe(false);
    expect(worker.agent.spool.status).toBe('waiting');
  });
});
