import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Claimed } from '../../../../schema/attempt.ts';
import { createOpenAi } from '../../../../worker-agent/src/tools/openai/openai-http.ts';
import { agentForTest, folderForTest } from '../../support/agent.ts';
import { startPlatform } from '../../support/fake-platform.ts';
import { hostileTexts } from '../../support/hostile.ts';
import { type Act, modelServer, sendJson } from '../../support/model-server.ts';

type Given = Parameters<typeof agentForTest>[1];

/** Runs a subtask for each text, several at once; returns how each ended. No file may appear outside the workspaces. */
const runEach = async (subtaskOf: (text: string) => Partial<Claimed>, given: Given, every = 1) => {
  const outside = await folderForTest();
  const platform = await startPlatform();
  const texts = hostileTexts(join(outside, 'canary')).filter((_, at) => at % every === 0);
  const claimed = texts.map((text) => platform.add(subtaskOf(text)));
  const worker = await agentForTest(platform, { slots: 8, ...given, settings: { ...given?.settings, workspaces: join(outside, 'a/b') } });

  const run = worker.run();
  await vi.waitFor(() => expect(platform.ended.size).toBe(claimed.length), { timeout: 60_000, interval: 20 });
  worker.agent.drain('the test is over');
  await run;

  expect((await readdir(outside)).toSorted()).toEqual(['a']);
  return claimed.map(({ subtask_id }) => platform.ended.get(subtask_id)?.body);
};

/** Writes a file with the goal as its name, and ends with the answer to that call. */
const writesByName: Act = (response, asked) => {
  const last = asked.messages.at(-1);
  const path = asked.messages[1]?.content.replace(/\n$/, '') ?? '';
  const call = { id: 'call', type: 'function', function: { name: 'write_file', arguments: JSON.stringify({ path, content: 'x' }) } };
  const message = last?.role === 'tool' ? { content: last.content } : { content: null, tool_calls: [call] };
  sendJson(response, 200, { choices: [{ message, finish_reason: 'stop' }] });
};

describe.skipIf(process.platform === 'win32')('hostile texts', { timeout: 120_000 }, () => {
  it('as file names of a model, name files in the workspace or fail', async () => {
    const { url } = await modelServer(writesByName);
    const settings = { url, model: 'm', key: undefined, stream: false, timeoutMs: 60_000, maxTurns: 3, retryWaitsMs: [] };
    const adapter = createOpenAi({ ...settings, commands: { allow: [], roots: [] } });

    const bodies = await runEach((text) => ({ tool: 'openai-http', goal: text }), { tools: [adapter] });

    expect(bodies.filter(({ result }) => !/^(written$|error: )/.test(result ?? ''))).toEqual([]);
    expect(bodies.filter(({ result }) => result === 'written').length).toBeGreaterThan(100);
  });

  it('are rejected as verify commands', async () => {
    const bodies = await runEach((text) => ({ verify: [[text]] }), { settings: { commands: { allow: ['true'], roots: [] } } });
    expect(new Set(bodies.map((body) => body.failure_class))).toEqual(new Set(['denied']));
  });

  it('reach a verify command unchanged', async () => {
    const script = 'test "$1" = "$(cat; printf .)" || exit 3';
    const verify = (text: string) => [
      ['sh', '-c', script, 'sh', `${JSON.stringify({ goal: text, input: {}, result: { text, inputs: [] } })}.`],
    ];
    const settings = { commands: { allow: ['sh'], roots: [] } };
    const bodies = await runEach((text) => ({ goal: text, verify: verify(text) }), { settings }, 4);
    expect(bodies.filter((body) => body.result === undefined)).toEqual([]);
  });
});
