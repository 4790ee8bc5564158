import { describe, expect, it } from 'vitest';
import { until } from '../support/processes.ts';
import { DEAD_REDIS, NO_REDIS } from '../support/redis-kind.ts';
import { adapterThat } from '../support/adapter.ts';
import { standaloneForTest, SLOW } from './support/standalone.ts';

type Standalone = Awaited<ReturnType<typeof standaloneForTest>>;

/** Shorter than the interval at which a worker polls. */
const WITHIN_MS = 18_000;
const endless = { goal: 'wait', tool: 'exec', input: { argv: ['node', '-e', 'setInterval(() => {}, 1000)'] } };

const statusOf = async ({ client }: Standalone, task_id: string) => (await client.getTask({ params: { task_id } })).status;
const completed = (standalone: Standalone, taskId: string, ms: number) =>
  until('the task to be completed', async () => (await statusOf(standalone, taskId)) === 'completed', ms);
const count = (events: readonly string[], event: string) => events.filter((it) => it === event).length;

describe.skipIf(NO_REDIS)('a worker with long polling intervals', { timeout: 240_000 }, () => {
  it('is notified of new work, the first time and later', async () => {
    const standalone = await standaloneForTest(SLOW);
    const { events } = await standalone.addWorker();
    await until('its socket', () => events.includes('push.began'));

    for (let tasks = 0; tasks < 3; tasks++) {
      const { task_id } = await standalone.client.submitTask({ body: { goal: 'now' } });
      await completed(standalone, task_id, WITHIN_MS);
    }
  });

  it('is notified after long work during which it counted as busy', async () => {
    const standalone = await standaloneForTest({ ...SLOW, BUSY_HEARTBEAT_MS: '100' });
    let isFree = false;
    const { events, agent } = await standalone.addWorker({ tools: [adapterThat(() => until('the test to continue', () => isFree))] });
    await until('its socket', () => events.includes('push.began'));
    await standalone.client.submitTask({ body: { goal: 'long' } });
    await until('it to count as busy', async () => (await standalone.client.listWorkers()).items[0]?.status === 'busy');

    isFree = true;
    await until('it to be free', () => agent.running === 0);
    const { task_id } = await standalone.client.submitTask({ body: { goal: 'now' } });

    await completed(standalone, task_id, WITHIN_MS);
  });

  it('is notified when it is the only free worker, and the others have only started to work', async () => {
    const standalone = await standaloneForTest(SLOW);
    let isFree = false;
    const busy = adapterThat(() => until('the test to continue', () => isFree));
    const others = await Promise.all(Array.from({ length: 7 }, () => standalone.addWorker({ tools: [busy] })));
    await until('their sockets', () => others.every(({ events }) => events.includes('push.began')));
    await Promise.all(others.map(() => standalone.client.submitTask({ body: { goal: 'long' } })));
    await until('them to work', () => others.every(({ agent }) => agent.running === 1), WITHIN_MS);
    const { events } = await standalone.addWorker();
    await until('its socket', () => events.includes('push.began'));

    for (let tasks = 0; tasks < 3; tasks++) {
      const { task_id } = await standalone.client.submitTask({ body: { goal: 'now' } });
      await completed(standalone, task_id, WITHIN_MS);
    }
    isFree = true;
  });

  it('is notified when it was paused and is resumed', async () => {
    const standalone = await standaloneForTest(SLOW);
    const { events, worker_id } = await standalone.addWorker();
    await until('its socket', () => events.includes('push.began'));
    const setMode = (mode: 'paused' | 'active', ifMatch: number) =>
      standalone.client.updateWorker({ params: { worker_id }, body: { mode } }, { ifMatch });
    const { version } = await setMode('paused', (await standalone.client.getWorker({ params: { worker_id } })).version);
    const { task_id } = await standalone.client.submitTask({ body: { goal: 'now' } });

    await setMode('active', version);

    await completed(standalone, task_id, WITHIN_MS);
  });

  it('stops its work as soon as the task is cancelled', async () => {
    const standalone = await standaloneForTest(SLOW);
    const { agent, events } = await standalone.addWorker();
    await until('its socket', () => events.includes('push.began'));
    const { task_id } = await standalone.client.submitTask({ body: endless });
    await until('the work', () => agent.running === 1);

    await standalone.client.cancelTask({ params: { task_id } });
    await until('its end', () => agent.running === 0, WITHIN_MS);

    expect(events).toContain('subtask.cancelled');
    expect(await statusOf(standalone, task_id)).toBe('cancelled');
  });

  it('is notified again after its connection was cut and after the server was restarted', async () => {
    const standalone = await standaloneForTest(SLOW);
    const { events } = await standalone.addWorker();
    await until('its socket', () => events.includes('push.began'));

    standalone.proxy.cut();
    await until('another socket', () => count(events, 'push.began') >= 2);
    const first = await standalone.client.submitTask({ body: { goal: 'after a cut' } });
    await completed(standalone, first.task_id, WITHIN_MS);
    const before = count(events, 'push.began');
    await standalone.restart();
    await until('one more', () => count(events, 'push.began') > before);
    const second = await standalone.client.submitTask({ body: { goal: 'after a restart' } });
    await completed(standalone, second.task_id, WITHIN_MS);
  });
});

describe('a worker without push', { timeout: 240_000 }, () => {
  it('finds its work by polling', async () => {
    const standalone = await standaloneForTest({ CLAIM_POLL_MS: '50', REDIS_URL: DEAD_REDIS });
    const { events } = await standalone.addWorker();

    const { task_id } = await standalone.client.submitTask({ body: { goal: 'now' } });
    await completed(standalone, task_id, 30_000);

    expect(events).not.toContain('push.began');
  });
});
