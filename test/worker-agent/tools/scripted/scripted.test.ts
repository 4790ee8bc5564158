import { describe, expect, it } from 'vitest';
import type { Json } from '../../../../schema/json.ts';
import { scripted } from '../../../../worker-agent/src/tools/scripted/scripted.ts';
import type { AdapterHost, Job } from '../../../../worker-agent/src/tools/adapter.ts';

const perform = async (input: Json, { inputs = {}, attempt = 1 }: { inputs?: Record<string, Json>; attempt?: number } = {}) => {
  const emitted: unknown[] = [];
  const job = { goal: 'the goal', attempt, input, input_keys: Object.keys(inputs), inputs: async () => inputs } as unknown as Job;
  const host = {
    signal: new AbortController().signal,
    emit: (event: unknown) => void emitted.push(event),
    artifact: async (file: { name: string }) => {
      emitted.push(file.name);
      return 'an-id';
    },
  } as unknown as AdapterHost;
  const outcome = await scripted.start(job, host).done;
  return { result: outcome.ended === 'end_turn' ? outcome.result : outcome, emitted };
};

describe('the tool scripted', () => {
  it('returns the goal and the names of its inputs if it has no steps', async () => {
    expect((await perform({}, { inputs: { a: 1, b: 2 } })).result).toEqual({ text: 'the goal', inputs: ['a', 'b'] });
  });

  it('logs and reports progress', async () => {
    const { emitted } = await perform({
      steps: [
        { do: 'log', text: 'x' },
        { do: 'progress', percent: 50, message: 'half' },
      ],
    });
    expect(emitted).toEqual([
      { type: 'log', stream: 'stdout', text: 'x\n' },
      { type: 'progress', percent: 50, message: 'half' },
    ]);
  });

  it('adds up the outputs of its parents by key, including nested counts', async () => {
    const inputs = { one: { counts: { a: 1, b: 2 } }, two: { counts: { b: 3, c: 4 } } };
    expect((await perform({ steps: [{ do: 'sum_inputs' }] }, { inputs })).result).toEqual({ counts: { a: 1, b: 5, c: 4 } });
    expect((await perform({ steps: [{ do: 'sum_inputs' }] }, { inputs: { x: { n: 1 }, y: { n: 2 } } })).result).toEqual({ n: 3 });
  });

  it('fails to add up a value that is not a number', async () => {
    await expect(perform({ steps: [{ do: 'sum_inputs' }] }, { inputs: { x: { n: 'one' } } })).rejects.toMatchObject({
      failureClass: 'invalid_result',
      message: expect.stringContaining('x.n'),
    });
  });

  it('joins the outputs of its parents', async () => {
    const inputs = { a: 'one', b: { text: 'two' }, c: { n: 3 } };
    expect((await perform({ steps: [{ do: 'concat_inputs', separator: ' ' }] }, { inputs })).result).toBe('one two {"n":3}');
  });

  it('hashes, counts words, and returns the output of the last step that has one', async () => {
    expect(
      (
        await perform({
          steps: [
            { do: 'hash', text: 'abc' },
            { do: 'log', text: '' },
          ],
        })
      ).result,
    ).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect((await perform({ steps: [{ do: 'count_words', text: 'A rose is a rose' }] })).result).toEqual({
      counts: { a: 2, rose: 2, is: 1 },
    });
  });

  it('creates an artifact', async () => {
    expect(await perform({ steps: [{ do: 'artifact', name: 'a.txt', content: 'x' }] })).toEqual({
      result: { artifact_id: 'an-id', name: 'a.txt' },
      emitted: ['a.txt'],
    });
  });

  it('fails as configured, up to the configured attempt', async () => {
    const input = {
      steps: [
        { do: 'fail', failure_class: 'rate_limited', message: 'later', until_attempt: 2 },
        { do: 'output', value: 'done' },
      ],
    };
    await expect(perform(input, { attempt: 2 })).rejects.toMatchObject({ failureClass: 'rate_limited', message: 'later' });
    expect((await perform(input, { attempt: 3 })).result).toBe('done');
  });

  it.each([
    [{ steps: 'x' }, 'input.steps'],
    [{ steps: [{ do: 'dance' }] }, 'input.steps.0.do'],
    [{ steps: [{ do: 'output', value: 1 }, { do: 'hash' }] }, 'input.steps.1.text'],
    [{ steps: [{ do: 'output', value: 1, sleep: 5 }] }, 'input.steps.0.sleep is an unknown field'],
  ])('reports the path of an invalid step: %j', async (input, place) => {
    await expect(perform(input as Json)).rejects.toMatchObject({ failureClass: 'invalid_result', message: expect.stringContaining(place) });
  });
});
