import { describe, expect, it, onTestFinished } from 'vitest';
import { enrol } from '../../../worker-agent/src/agent/enrolment.ts';
import { StateFile } from '../../../worker-agent/src/agent/state-file.ts';
import { run, until } from '../../support/processes.ts';
import { agentForTest, folderForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

describe('an upgrade of the platform', () => {
  it('does not disturb an older worker, which ignores unknown fields', async () => {
    const platform = await startPlatform();
    platform.isNewer = true;
    const wanted = { url: platform.url, name: 'old', tools: ['scripted'], slots: 1, timeoutMs: 5_000, enrolToken: 'mae_one' };
    const work = { input: { steps: [{ do: 'log', text: 'hello' }, { do: 'concat_inputs' }] }, inputs: platform.parent('before', 1) };
    const subtask = platform.add(work);

    const identity = await enrol(new StateFile(await folderForTest(), platform.url, 'old'), wanted);
    const worker = await agentForTest(platform);
    const run = worker.run();
    await holds(() => worker.agent.status.heartbeatAgeMs !== null && platform.ended.has(subtask.subtask_id));
    worker.agent.drain('the test wants it');
    await run;

    expect(identity.workerId).toBe(platform.worker.worker_id);
    expect(platform.ended.get(subtask.subtask_id)?.kind).toBe('completed');
    expect(
      platform.logs
        .get(subtask.subtask_id)
        ?.map(({ content }) => content)
        .join(''),
    ).toContain('hello');
  });
});

describe('an upgrade of a worker', { timeout: 60_000 }, () => {
  it('finishes the running subtasks, and the next version continues as the same worker without a token', async () => {
    const platform = await startPlatform();
    const folder = await folderForTest();
    const start = (...flags: string[]) => {
      const args = ['--url', platform.url, '--state-dir', folder, '--tools', 'exec', '--exec-allow', process.execPath, ...flags];
      const worker = run(['worker-agent/bin/maw.mjs', 'worker', 'start', ...args], { HOME: folder });
      onTestFinished(() => worker.kill('SIGKILL'));
      return worker;
    };
    const slowly = 'setTimeout(() => console.log("done"), 1000)';
    const before = platform.add({ tool: 'exec', input: { argv: [process.execPath, '-e', slowly] } });

    const old = start('--enrol-token', 'mae_one');
    await until('the old one to work', () => platform.given.size > 0);
    await old.kill('SIGTERM');
    const after = platform.add({ tool: 'exec', input: { argv: [process.execPath, '-e', slowly] } });
    const next = start();
    await until('the new one to have worked', () => platform.ended.has(after.subtask_id));
    await next.kill('SIGTERM');

    expect([old.child.exitCode, next.child.exitCode]).toEqual([0, 0]);
    expect([before, after].map(({ subtask_id }) => platform.ended.get(subtask_id)?.kind)).toEqual(['completed', 'completed']);
    expect(platform.of('registerWorker')).toHaveLength(1);
    expect(new Set(platform.of('claimSubtasks').map(({ params }) => params.worker_id))).toEqual(new Set([platform.worker.worker_id]));
  });
});
