import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { targetForFile } from '../conformance/support/target.ts';
import { startWorkers } from '../conformance/support/workers.ts';
import { until } from '../support/processes.ts';
import { makeVersion } from './support/version.ts';

const SUBTASKS = 200;
/** Long enough that a deploy happens while one worker is busy and the other holds the subtask that ends with the deploy. */
const WORK_MS = 500;
const DONE_MS = 240_000;
const UPDATE = { '9998_update.sql': 'create table of_the_update (id int primary key);' };

describe('an update', { timeout: 600_000 }, () => {
  const { owner } = targetForFile();
  const versionNow = async () => (await owner().client.getRoot()).version;
  const submitMany = (count: number, first: object[] = []) => {
    const input = { steps: [{ do: 'wait', ms: WORK_MS }] };
    const subtasks = Array.from({ length: count }, (_, at) => ({
      key: `s${at}`,
      goal: `${at}`,
      timeout_seconds: 600,
      input,
      ...first[at],
    }));
    return owner().client.submitTask({ body: { goal: 'go on', subtasks } });
  };
  const countDone = async (task_id: string) => (await owner().client.getTask({ params: { task_id } })).completed_count;

  /** Sends requests until it is stopped; returns the failures and the number of successful calls. */
  const keepAsking = () => {
    const failed: unknown[] = [];
    let calls = 0;
    const over = new AbortController();
    const asking = (async () => {
      while (!over.signal.aborted) {
        await owner()
          .client.listTasks({ query: { limit: 1 } })
          .then(
            () => calls++,
            (error: unknown) => failed.push(error),
          );
      }
    })();
    return {
      stop: async () => {
        over.abort();
        await asking;
        return { failed, calls };
      },
    };
  };

  it('with changed Lambdas and a migration fails no request and loses nothing while 200 subtasks are running', async () => {
    const next = await makeVersion('100.0.0', UPDATE);
    const folder = await mkdtemp(join(tmpdir(), 'maw-update-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const gate = join(folder, 'gate');
    const wait = `const look = () => require('fs').existsSync(${JSON.stringify(gate)}) || setTimeout(look, 100); look()`;
    const { task_id } = await submitMany(SUBTASKS, [{ tool: 'exec', input: { argv: ['node', '-e', wait] } }]);
    await startWorkers(owner(), 2);
    await until('the work to begin', async () => (await countDone(task_id)) > 0);
    const asking = keepAsking();

    await next.deploy();

    expect(await versionNow()).toBe('100.0.0');
    expect(await countDone(task_id)).toBeLessThan(SUBTASKS);
    await writeFile(gate, '');
    await until('all to be done', async () => (await owner().client.getTask({ params: { task_id } })).status === 'completed', DONE_MS);
    const { failed, calls } = await asking.stop();
    expect(failed).toEqual([]);
    expect(calls).toBeGreaterThan(10);
    expect(await countDone(task_id)).toBe(SUBTASKS);
  });

  it('whose migration throws fails, and the old version keeps running', async () => {
    const before = await versionNow();
    const broken = await makeVersion('200.0.0', { ...UPDATE, '9999_broken.sql': 'select 1 / 0;' });

    await expect(broken.deploy()).rejects.toThrow('ended with 1');

    expect(await versionNow()).toBe(before);
    const { task_id } = await submitMany(1);
    await startWorkers(owner(), 1);
    await until('it to be done', async () => (await owner().client.getTask({ params: { task_id } })).status === 'completed');
  });
});
