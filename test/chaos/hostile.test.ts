import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Claimed } from '../../schema/attempt.ts';
import type { Isolation } from '../../worker-agent/src/process/isolation/isolation.ts';
import { agentForTest, folderForTest } from '../worker-agent/support/agent.ts';
import { bwrapWith, NO_BWRAP } from '../worker-agent/support/bwrap.ts';
import { type FakePlatform, startPlatform } from '../worker-agent/support/fake-platform.ts';
import { hostileTexts } from '../worker-agent/support/hostile.ts';

const ROUNDS = 8;
const ECHO = ['sh', '-c', 'printf "%s\\n" "$#" "$1" "$DECLARED"; cat', 'sh'];

/** A text in every field of a subtask that a person fills in. */
const everywhere = (text: string): Partial<Claimed> => ({
  goal: text,
  task_goal: text,
  key: text,
  kind: text,
  labels: { label: text.slice(0, 120) },
});

const add = (platform: FakePlatform, text: string) => {
  const exec = (input: Claimed['input']) => platform.add({ ...everywhere(text), tool: 'exec', input });
  return {
    text,
    echoed: exec({ argv: [...ECHO, text], env: { DECLARED: text }, result: 'text' }),
    prompted: exec({ argv: ['cat'], stdin: 'prompt', result: 'text' }),
    elsewhere: [exec({ argv: [text] }), exec({ argv: ['true'], cwd: text }), exec({ argv: ['true'], result: 'file', result_file: text })],
    named: platform.add({ ...everywhere(text), input: { steps: [{ do: 'artifact', name: text, content: text }] } }),
  };
};

const rounds = Array.from({ length: ROUNDS }, (_, round) => ({
  name: 'env',
  round,
  isolation: async (): Promise<Isolation> => ({ kind: 'env' }),
}));
// Every eighth text only: the isolation just puts more arguments before the command.
if (NO_BWRAP === null) rounds.push({ name: 'bwrap', round: 0, isolation: () => bwrapWith() });

describe.skipIf(process.platform === 'win32')('hostile texts', () => {
  it('number at least 200', () => {
    expect(hostileTexts('/canary').length).toBeGreaterThanOrEqual(200);
  });

  it.each(rounds)(
    'as goal, argument, label, variable and file name reach a command unchanged, run nothing and write nothing: $name, part $round',
    async ({ isolation, round }) => {
      const outside = await folderForTest();
      const home = join(outside, 'home');
      await mkdir(home);
      await writeFile(join(outside, 'here'), 'before');
      vi.stubEnv('HOME', home);
      onTestFinished(() => void vi.unstubAllEnvs());
      const platform = await startPlatform();
      const texts = hostileTexts(join(outside, 'canary')).filter((_, index) => index % ROUNDS === round);
      const given = texts.map((text) => add(platform, text));
      const exec = { allow: ['sh', 'cat', 'true'] };
      const worker = await agentForTest(platform, {
        slots: 8,
        exec,
        settings: { isolation: await isolation(), workspaces: join(outside, 'a/b') },
      });

      await worker.finish(100_000);

      for (const { text, echoed, prompted, elsewhere, named } of given) {
        const stdin = JSON.stringify({ goal: text, input: echoed.input, inputs: {} });
        expect(platform.output(echoed)).toBe(`1\n${text}\n${text}\n${stdin}`);
        expect(platform.output(prompted)).toBe(text.replace(/\r$/, ''));
        for (const subtask of elsewhere) expect([text, platform.ended.get(subtask.subtask_id)?.kind]).toEqual([text, endOf(text, subtask)]);
        expect(platform.ended.has(named.subtask_id)).toBe(true);
      }
      expect((await readdir(outside, { recursive: true })).toSorted()).toEqual(['a', 'a/b', 'here', 'home']);
    },
  );
});

/** Only a `cwd` that is the workspace itself is valid. */
const endOf = (text: string, { input }: Claimed) => (/^(\.\/?)$/.test(text) && 'cwd' in (input as object) ? 'completed' : 'failed');
