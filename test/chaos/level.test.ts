import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Claimed } from '../../schema/attempt.ts';
import type { Json } from '../../schema/json.ts';
import { until } from '../support/processes.ts';
import { folderForTest } from '../worker-agent/support/agent.ts';
import { type FakePlatform, startPlatform } from '../worker-agent/support/fake-platform.ts';
import type { Given, Levels } from './support/level-worker.ts';

const startWorker = async (platform: FakePlatform) => {
  const stateDir = join(await folderForTest(), 'state');
  const temporary = join(stateDir, 'tmp');
  await mkdir(temporary, { recursive: true });
  const { url, intervals } = platform;
  const given: Given = { url, workerId: platform.worker.worker_id, credential: platform.worker.credential, intervals, stateDir };
  const script = join(import.meta.dirname, 'support/level-worker.ts');
  const child = fork(script, [JSON.stringify(given)], { execArgv: ['--expose-gc'], env: { ...process.env, TMPDIR: temporary } });
  onTestFinished(() => void child.kill('SIGKILL'));
  return async (): Promise<Levels> => {
    child.send('measure');
    const [levels] = (await once(child, 'message')) as [Levels];
    return levels;
  };
};

const scripted = (...steps: Json[]) => ({ input: { steps } });
const sh = (script: string) => ({ tool: 'exec', input: { argv: ['sh', '-c', script] } });
const KINDS: Partial<Claimed>[] = [
  sh('echo out; echo err >&2; echo x > file; echo x > "$TMPDIR/file"; (setsid sleep 60 &)'),
  scripted({ do: 'artifact', name: 'a.txt', content: 'x'.repeat(10_000) }, { do: 'progress', percent: 50 }),
  scripted({ do: 'output', value: 'x'.repeat(1_000) }),
  sh('head -c 300000 /dev/zero; exit 3'),
  scripted({ do: 'fail', message: 'x'.repeat(1_000) }),
  scripted({ do: 'log', text: 'x'.repeat(1_000) }),
  scripted({ do: 'hash', text: 'x' }),
  scripted(),
];

/** Runs `count` subtasks of all kinds; returns what the worker holds afterwards. */
const runSubtasks = async (platform: FakePlatform, measure: () => Promise<Levels>, count: number): Promise<Levels> => {
  for (let index = 0; index < count; index++) platform.add(KINDS[index % KINDS.length]);
  const all = platform.ended.size + count;
  await until(`${count} subtasks to end`, () => platform.ended.size === all, 120_000);
  return until('the worker to be idle', async () => {
    const levels = await measure();
    return levels.running === 0 && levels;
  });
};

describe.skipIf(process.platform !== 'linux')('a worker', () => {
  it('leaks no memory, handles, files or processes over 1,000 subtasks', async () => {
    const platform = await startPlatform();
    const measure = await startWorker(platform);
    const before = await runSubtasks(platform, measure, 200);

    await runSubtasks(platform, measure, 1_000);

    // Idle keep-alive connections close within a few seconds.
    const after = await until('its resources to return to their earlier level', async () => {
      const levels = await measure();
      const isLevel = levels.handles <= before.handles && levels.files <= before.files && levels.left <= before.left;
      return isLevel && levels;
    });
    expect(after.heapBytes - before.heapBytes).toBeLessThan(500_000);
  });
});
