import { describe, expect, it } from 'vitest';
import { agentForTest, holds } from './support/agent.ts';
import { startPlatform } from './support/fake-platform.ts';
import { ESCAPES, strayForTest } from './support/strays.ts';

const carryOut = async (script: string) => {
  const platform = await startPlatform();
  const subtask = platform.add({ tool: 'exec', input: { argv: ['sh', '-c', script] } });
  const worker = await agentForTest(platform);
  return { platform, subtask, worker, ended: () => platform.ended.get(subtask.subtask_id) };
};

describe.skipIf(process.platform !== 'linux')('the process tree of a command', () => {
  it.each(Object.entries(ESCAPES))('leaves no survivor when it %s and the lease is lost', async (_, script) => {
    const { command, pids } = strayForTest();
    const { platform, subtask, worker } = await carryOut(`${script(command)}\n${command}`);
    void worker.run();
    await holds(() => pids().length >= 2);

    platform.lost.add(subtask.subtask_id);

    await holds(() => pids().length === 0 && worker.agent.running === 0);
  });

  it.each(['forks and ends', 'moves to a session of its own', 'moves there twice, deaf to signals'])(
    'leaves no survivor when it %s by itself',
    async (name) => {
      const { command, pids } = strayForTest();
      const { worker, ended } = await carryOut(`${ESCAPES[name]?.(command)}\necho well`);

      await worker.finish();

      expect(ended()).toMatchObject({ kind: 'completed', body: { result: 'well' } });
      expect(pids()).toEqual([]);
    },
  );

  it('does not wait for a pipe that a stray holds which gave up its environment and its session', async () => {
    const { command, pids } = strayForTest();
    const { worker, ended } = await carryOut(`env -i setsid ${command} &\necho well`);

    await worker.finish();

    expect(ended()).toMatchObject({ kind: 'completed', body: { result: 'well' } });
    expect(pids().length).toBeLessThanOrEqual(1);
  });
});
