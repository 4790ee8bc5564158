import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Claimed } from '../../../schema/attempt.ts';
import { SilenceWatch } from '../../../worker-agent/src/attempt/silence-watch.ts';
import type { Outcome } from '../../../worker-agent/src/tools/adapter.ts';
import { adapterThat, agentThatEnds } from '../../support/adapter.ts';
import { agentForTest } from '../support/agent.ts';
import { startPlatform } from '../support/fake-platform.ts';

type Given = Parameters<typeof agentForTest>[1];

/** Runs one subtask. Returns how it ended and its log. */
const carriedOut = async (more: Partial<Claimed>, given: Given = {}) => {
  const platform = await startPlatform();
  const subtask = platform.add(more);
  const worker = await agentForTest(platform, given);
  await worker.finish();
  const ended = platform.ended.get(subtask.subtask_id);
  const log = (platform.logs.get(subtask.subtask_id) ?? []).map(({ content }) => content).join('');
  return { kind: ended?.kind, body: ended?.body, log };
};

const well = (result: number | string): Outcome => ({ ended: 'end_turn', result });
const result_schema = { type: 'number' as const, maximum: 5 };
const node = (script: string) => [process.execPath, '-e', script];

describe('a turn that ended', () => {
  it.each<[Outcome, string, string]>([
    [{ ended: 'max_tokens' }, 'budget', 'cut off'],
    [{ ended: 'max_turns' }, 'budget', 'turns'],
    [{ ended: 'refusal' }, 'denied', 'refused'],
  ])('is no success when it was cut short: %j', async (outcome, failure_class, message) => {
    const { adapter } = agentThatEnds(outcome);

    const { kind, body } = await carriedOut({}, { tools: [adapter] });

    expect({ kind, ...body }).toMatchObject({ kind: 'failed', failure_class, message: expect.stringContaining(message) });
  });

  it('is a failure when it has no result, even if the agent reports success', async () => {
    const adapter = { ...agentThatEnds().adapter, start: () => ({ done: Promise.resolve<Outcome>({ ended: 'end_turn' }) }) };

    const { body } = await carriedOut({}, { tools: [adapter] });

    expect(body).toMatchObject({ failure_class: 'invalid_result', message: expect.stringContaining('there is none') });
  });

  it('reports usage, also for work that failed', async () => {
    const adapter = adapterThat(({ emit }) => {
      emit({ type: 'usage', usage: { input_tokens: 1 } });
      emit({ type: 'usage', usage: { input_tokens: 3 } });
      throw new Error('it crashed');
    });

    expect((await carriedOut({}, { tools: [adapter] })).body).toMatchObject({ failure_class: 'tool_error', usage: { input_tokens: 3 } });
  });
});

describe('a result with a schema', () => {
  it('is accepted when it matches', async () => {
    const { adapter, sent } = agentThatEnds(well(5));

    expect((await carriedOut({ result_schema }, { tools: [adapter] })).body).toMatchObject({ result: 5 });
    expect(sent).toEqual([]);
  });

  it('is requested again, with its faults, when it does not match', async () => {
    const { adapter, sent } = agentThatEnds(well(6), well(4));

    const { body, log } = await carriedOut({ result_schema }, { tools: [adapter] });

    expect(body).toMatchObject({ result: 4 });
    expect(sent).toEqual([expect.stringContaining('result: must be at most 5')]);
    expect(log).toContain('asked to correct it');
  });

  it('is requested again only once', async () => {
    const { adapter, sent } = agentThatEnds(well(6), well(7), well(1));

    expect((await carriedOut({ result_schema }, { tools: [adapter] })).body).toMatchObject({
      failure_class: 'invalid_result',
      message: expect.stringContaining('result: must be at most 5'),
    });
    expect(sent).toHaveLength(1);
  });

  it('fails at once when its agent cannot take a second turn', async () => {
    const input = { steps: [{ do: 'output', value: 'six' }] };

    expect((await carriedOut({ result_schema, input })).body).toMatchObject({
      failure_class: 'invalid_result',
      message: expect.stringContaining('must be number, not string'),
    });
  });

  it('fails before any work when this worker cannot check it', async () => {
    const { adapter } = agentThatEnds();

    const { body } = await carriedOut({ result_schema: { pattern: 'x' } }, { tools: [adapter] });

    expect(body).toMatchObject({ failure_class: 'invalid_result', message: expect.stringContaining('cannot check result_schema') });
  });
});

describe('verify commands', () => {
  const input = { steps: [{ do: 'output', value: 7 }] };

  it('run in the workspace after the tool, with its result on stdin, and the log shows them', async () => {
    const printsInput = node(
      'process.stdin.on("data",d=>console.log("got",JSON.parse(d).result,process.cwd()===process.env.MAW_WORKSPACE))',
    );

    const { body, log } = await carriedOut({ input, verify: [printsInput] });

    expect(body).toMatchObject({ result: 7 });
    expect(log).toContain('got 7 true');
    expect(log).toContain(`verify ${process.execPath}`);
  });

  it('fail the subtask, with the end of the output, when one of them does not exit with 0', async () => {
    const verify = [
      node('process.exit(0)'),
      node('console.log("1 test failed");process.exit(3)'),
      node('require("fs").writeFileSync("late","")'),
    ];

    const { body, log } = await carriedOut({ input, verify });

    expect(body).toMatchObject({ failure_class: 'verify_failed', message: expect.stringMatching(/exit code 3\n1 test failed$/) });
    expect(log).not.toContain('late');
  });

  it('are not run for work that failed', async () => {
    const steps = [{ do: 'fail', failure_class: 'auth' }];

    const { body, log } = await carriedOut({ input: { steps }, verify: [node('0')] });

    expect(body).toMatchObject({ failure_class: 'auth' });
    expect(log).not.toContain('verify');
  });

  it('are refused before any work when the worker does not allow one', async () => {
    let starts = 0;
    const adapter = adapterThat(() => ++starts);

    const { body } = await carriedOut(
      {
        verify: [
          ['git', 'status'],
          ['rm', '-rf', '/nowhere'],
        ],
      },
      { tools: [adapter], settings: { commands: { allow: ['git'], roots: [] } } },
    );

    expect(body).toMatchObject({ failure_class: 'denied', message: expect.stringContaining('--exec-allow rm') });
    expect(starts).toBe(0);
  });

  it('may be created by the agent', async () => {
    const adapter = adapterThat(({ workspace }) => writeFile(join(workspace, 'check'), '#!/bin/sh\nexit 4\n', { mode: 0o700 }));

    const { body } = await carriedOut({ verify: [['./check']] }, { tools: [adapter] });

    expect(body).toMatchObject({ failure_class: 'verify_failed', message: expect.stringContaining('exit code 4') });
  });

  it('have a time limit, and leave nothing running after it', async () => {
    const { body } = await carriedOut({ input, timeout_seconds: 1, verify: [node('setInterval(()=>{},1000)')] });

    expect(body).toMatchObject({ failure_class: 'timed_out', message: expect.stringContaining('timeout_seconds, 1 s') });
  });
});

describe('a silent tool', () => {
  const hanging = node('console.log("begun");setInterval(()=>{},1000)');
  const silent = node('setInterval(()=>{},1000)');

  it.each([
    ['as the subtask sets it', { idle_timeout_seconds: 1 }, {}],
    ['as the worker sets it', {}, { idleTimeoutSeconds: 1 }],
    ['as the subtask sets it, whatever the worker sets', { idle_timeout_seconds: 1 }, { idleTimeoutSeconds: 3_600 }],
  ])('is stopped after a while, %s', async (_, subtask, settings) => {
    const { body, log } = await carriedOut(
      { tool: 'exec', input: { argv: hanging }, first_event_timeout_seconds: 20, ...subtask },
      { settings },
    );

    expect(body).toMatchObject({ failure_class: 'timed_out', message: expect.stringContaining('for 1 s (idle_timeout_seconds)') });
    expect(log).toContain('begun');
  });

  it('is stopped sooner when it gives no first event', async () => {
    const { body } = await carriedOut({
      tool: 'exec',
      input: { argv: silent },
      first_event_timeout_seconds: 1,
      idle_timeout_seconds: 3_600,
    });

    expect(body).toMatchObject({ failure_class: 'timed_out', message: expect.stringContaining('(first_event_timeout_seconds)') });
  });

  it('continues as long as it emits events', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const stops: string[] = [];
    const watch = new SilenceWatch({ stop: () => true }, { firstEventSeconds: 10, idleSeconds: 5 }, (message) => stops.push(message));

    for (const seconds of [9, 4, 4, 4]) {
      vi.advanceTimersByTime(seconds * 1_000);
      watch.activity();
    }
    expect(stops).toEqual([]);

    vi.advanceTimersByTime(5_001);
    expect(stops).toEqual([expect.stringContaining('idle_timeout_seconds')]);
  });
});
