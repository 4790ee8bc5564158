import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reasonsAgainst } from '../../../worker-agent/src/agent/health.ts';
import { agentForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

describe('a worker whose disk cannot store a workspace', { timeout: 60_000 }, () => {
  it('releases its subtask, stops claiming and reports why', async () => {
    const platform = await startPlatform();
    platform.intervals = { ...platform.intervals, idle_heartbeat_ms: 20 };
    const { subtask_id } = platform.add();
    platform.add({ key: 'other' });
    const worker = await agentForTest(platform);
    writeFileSync(worker.workspaces, 'not a folder');
    void worker.run();

    await holds(() => platform.ended.has(subtask_id));
    const beats = platform.of('heartbeat').length;
    await holds(() => platform.of('heartbeat').length > beats + 1 && worker.agent.running === 0);

    expect(platform.ended.get(subtask_id)).toMatchObject({ kind: 'released', body: { reason: expect.stringContaining('disk') } });
    expect(platform.waiting.map(({ key }) => key)).toEqual(['other']);
    expect(reasonsAgainst(worker.agent.status)).toEqual([expect.stringMatching(/disk.*(ENOTDIR|EEXIST)/)]);
  });
});
