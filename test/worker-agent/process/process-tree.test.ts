import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { agentForTest, folderForTest, holds } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';
import type { JobSettings } from '../../../worker-agent/src/attempt/job-context.ts';
import type { AdapterHost, AgentAdapter, Outcome } from '../../../worker-agent/src/tools/adapter.ts';
import { killAll, ProcessTree } from '../../../worker-agent/src/process/process-tree.ts';
import { watchTree } from '../../../worker-agent/src/process/watch-tree.ts';
import { bwrapWith, NO_BWRAP } from '../support/bwrap.ts';
import { DEAF, ESCAPES, strayForTest } from '../support/strays.ts';

const carryOut = async (script: string, settings: Partial<JobSettings> = {}) => {
  const platform = await startPlatform();
  const subtask = platform.add({ tool: 'exec', input: { argv: ['sh', '-c', script] } });
  const worker = await agentForTest(platform, { settings });
  return { platform, subtask, worker, ended: () => platform.ended.get(subtask.subtask_id) };
};

/** Resolves when every watched tree has been checked again. */
const aLook = () =>
  new Promise<void>((resolve) => {
    const leave = watchTree(new ProcessTree(-1, 'NONE=', false), () => {
      leave();
      resolve();
    });
  });

describe.skipIf(process.platform !== 'linux')('the process tree of a command', () => {
  it.each(Object.entries(ESCAPES))('leaves no survivor when it %s and the lease is lost', async (_, script) => {
    const { command, pids } = strayForTest();
    const { platform, subtask, worker } = await carryOut(`${script(command)}\n${command}`);
    void worker.run();
    await holds(() => pids().length >= 2);

    platform.lost.add(subtask.subtask_id);

    await holds(() => pids().length === 0 && worker.agent.running === 0);
  });

  it.each(['forks and ends', 'moves to a session of its own', 'moves there twice, ignoring signals'])(
    'leaves no survivor when it %s by itself',
    async (name) => {
      const { command, pids } = strayForTest();
      const { worker, ended } = await carryOut(`${ESCAPES[name]?.(command)}\necho well`);

      await worker.finish();

      expect(ended()).toMatchObject({ kind: 'completed', body: { result: 'well' } });
      expect(pids()).toEqual([]);
    },
  );

  it('does not wait for a pipe held by a process that left its environment and its session', async () => {
    const { command, pids } = strayForTest();
    const { worker, ended } = await carryOut(`env -i setsid ${command} & sleep 0.3; echo well`);

    await worker.finish();

    expect(ended()).toMatchObject({ kind: 'completed', body: { result: 'well' } });
    expect(pids().length).toBeLessThanOrEqual(1);
  });

  it('is ended alone: another command of the attempt continues', async () => {
    const { pids, command } = strayForTest();
    const platform = await startPlatform();
    const subtask = platform.add();
    const sh = (host: AdapterHost, script: string) => host.spawn('sh', ['-c', script], { cwd: host.workspace, env: {} });
    const both = async (host: AdapterHost): Promise<Outcome> => {
      await sh(host, 'mkfifo gate');
      const longer = sh(host, `${command} & read line < gate; kill $!`);
      await holds(() => pids().length >= 2);
      await sh(host, 'true');
      const others = pids().length;
      await sh(host, 'echo > gate');
      return { ended: 'end_turn', result: [others, (await longer).code] };
    };
    const tool: AgentAdapter = { id: 'scripted', probe: async () => [], start: (_, host) => ({ done: both(host) }) };
    const worker = await agentForTest(platform, { tools: [tool] });

    await worker.finish();

    expect(platform.output(subtask)).toEqual([2, 0]);
  });

  it('ends a daemon without its environment if it was seen before', async () => {
    const { command, pids, asleep } = strayForTest();
    const gate = join(await folderForTest(), 'gate');
    const daemon = `env -i setsid sh -c '(${command} &) ; ${command}' >/dev/null 2>&1 &`;
    const { worker, ended } = await carryOut(`${daemon} while [ ! -e ${gate} ]; do sleep 0.1; done`);

    const finished = worker.finish();
    await holds(() => asleep().length === 2);
    await aLook();
    await writeFile(gate, '');
    await finished;

    expect(ended()).toMatchObject({ kind: 'completed' });
    expect(pids()).toEqual([]);
  });
});

describe.skipIf(process.platform === 'win32')('who is to be killed', () => {
  it('is searched for twice: a process does not show its mark during exec', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const looks = [[], [child.pid as number]];

    const left = await killAll(() => looks.shift() ?? []);

    expect(left).toEqual([]);
    expect((await ended)[1]).toBe('SIGKILL');
  });
});

const escapes = {
  ...ESCAPES,
  'also drops its environment': (command: string) => `${DEAF} (env -i setsid sh -c '(${command} &) ; ${command}' &)`,
};

describe.skipIf(NO_BWRAP !== null)('the process tree of a command in bubblewrap', () => {
  it.each(Object.entries(escapes))('leaves no survivor when it %s and the lease is lost', async (_, script) => {
    const { command, pids } = strayForTest();
    const { platform, subtask, worker } = await carryOut(`${script(command)}\n${command}`, { isolation: await bwrapWith() });
    void worker.run();
    await holds(() => pids().length >= 4);

    platform.lost.add(subtask.subtask_id);

    await holds(() => pids().length === 0 && worker.agent.running === 0);
  });

  it('leaves no survivor without its environment and session when it ends by itself', async () => {
    const { command, pids } = strayForTest();
    const { worker, ended } = await carryOut(`(env -i setsid sh -c '(${command} &) ; ${command}' &)\necho well`, {
      isolation: await bwrapWith(),
    });

    await worker.finish();

    expect(ended()).toMatchObject({ kind: 'completed', body: { result: 'well' } });
    expect(pids()).toEqual([]);
  });
});
