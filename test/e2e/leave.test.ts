import { describe, expect, it, onTestFinished } from 'vitest';
import { NO_REDIS } from '../support/redis-kind.ts';
import { run, until } from '../support/processes.ts';
import { ended } from './support/cli.ts';
import { adapterThat } from '../support/adapter.ts';
import { standaloneForTest } from './support/standalone.ts';

const spec = {
  goal: 'two steps',
  subtasks: [
    { key: 'a', goal: 'a' },
    { key: 'b', goal: 'b', dependencies: ['a'] },
  ],
};

describe('maw', { timeout: 240_000 }, () => {
  it.skipIf(NO_REDIS)('exits once it has shown everything, although the server never confirms that it closes the socket', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '20' });
    let allowed = 0;
    let started = 0;
    const waiting = async () => {
      const at = ++started;
      await until('the test to continue', () => allowed >= at);
    };
    await standalone.addWorker({ tools: [adapterThat(waiting)] });
    const { task_id } = await standalone.client.submitTask({ body: spec });
    const env = { MAW_URL: standalone.url, MAW_API_KEY: standalone.adminKey, MAW_POLL_MS: '60000' };
    const watching = run(['worker-agent/bin/maw.mjs', 'watch', task_id], env);
    onTestFinished(() => watching.kill('SIGKILL'));
    const end = ended(watching);
    await until('the start to be shown', () => watching.output().includes('subtask.started'));
    allowed = 1;
    await until('an event to be pushed', () => watching.output().includes('subtask.completed'));

    standalone.proxy.mute('GET /ws?');
    allowed = 2;

    expect(await end).toMatchObject({ code: 0, out: expect.stringContaining('task.completed') });
  });
});
