import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RouteName } from '../../../../schema/routes.ts';
import { AgentFailure } from '../../../../worker-agent/src/attempt/agent-failure.ts';
import { adapterThat } from '../../../support/adapter.ts';
import { agentForTest, holds } from '../../support/agent.ts';
import { startPlatform } from '../../support/fake-platform.ts';

const NEVER_MS = 30_000;
const talkative = adapterThat(async (host, { key }) => {
  host.emit({ type: 'log', stream: 'stdout', text: 'it prints\n' });
  const artifact_id = await host.artifact({ name: 'file.txt', content: 'a file' });
  if (key === 'fails') throw new AgentFailure('budget', 'it cost too much');
  return { artifact_id };
});

describe('a platform that accepts a request and does not answer it', { timeout: 60_000 }, () => {
  it.each<[RouteName, string, string]>([
    ['failSubtask', 'fails', 'failed'],
    ['appendLogs', 'main', 'completed'],
    ['createArtifact', 'main', 'completed'],
    ['storeArtifact', 'main', 'completed'],
  ])('leaves no ending in memory alone: %s', async (name, key, kind) => {
    const platform = await startPlatform();
    const { subtask_id } = platform.add({ key });
    let answer = () => {};
    const silence = new Promise<'pass'>((resolve) => {
      answer = () => resolve('pass');
    });
    platform.intercept(name, () => silence);
    const worker = await agentForTest(platform, { tools: [talkative], timeoutMs: NEVER_MS });
    void worker.run();

    await holds(() => worker.events().includes('result.kept'));
    answer();
    await holds(() => worker.agent.spool.status === 'empty' && worker.agent.running === 0);

    expect(platform.ended.get(subtask_id)?.kind).toBe(kind);
    expect(platform.logs.get(subtask_id)?.map(({ content }) => content)).toEqual(['it prints\n']);
    expect([...platform.artifacts.values()]).toMatchObject([{ name: 'file.txt', stored: true }]);
  });
});

describe('a workspace that cannot be removed at once', { timeout: 60_000 }, () => {
  it('delays no result', async ({ skip }) => {
    const platform = await startPlatform();
    platform.add();
    let disk: string | null = null;
    const mounts = adapterThat((host) => {
      const folder = join(host.workspace, 'disk');
      mkdirSync(folder);
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder], { stdio: 'ignore' });
      disk = folder;
    });
    const unmount = () => {
      if (disk !== null) execFileSync('umount', [disk]);
    };
    platform.intercept('completeSubtasks', () => {
      unmount();
      return 'pass';
    });
    const worker = await agentForTest(platform, { tools: [mounts] });

    await worker.finish();

    skip(disk === null, 'a disk cannot be mounted here');
    expect(readdirSync(worker.workspaces)).toEqual([]);
  });
});
