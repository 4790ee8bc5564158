import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Json } from '../../../../schema/json.ts';
import { parseInput } from '../parse-input.ts';
import { addUp, textOf } from './merge-inputs.ts';
import { ScriptedInput, type Step } from './steps.ts';
import { AgentFailure } from '../../attempt/agent-failure.ts';
import type { AdapterHost, Job, Outcome, AgentAdapter } from '../adapter.ts';

type StepHandlers = { [D in Step['do']]: (step: Extract<Step, { do: D }>, job: Job, host: AdapterHost) => Promise<Json | undefined> };

/** A handler returns undefined if its step has no output. */
const HANDLERS: StepHandlers = {
  log: async ({ stream, text }, _, host) => void host.emit({ type: 'log', stream, text: `${text}\n` }),
  progress: async ({ percent, message }, _, host) =>
    void host.emit({ type: 'progress', ...(percent === undefined ? {} : { percent }), ...(message === undefined ? {} : { message }) }),
  wait: ({ ms }, _, host) => wait(ms, undefined, { signal: host.signal }),
  fail: async ({ failure_class, message, until_attempt }, { attempt }) => {
    if (until_attempt === undefined || attempt <= until_attempt) throw new AgentFailure(failure_class, message);
    return undefined;
  },
  output: async ({ value }) => value,
  sum_inputs: async (_, job) => addUp(await job.inputs()),
  concat_inputs: async ({ separator }, job) =>
    Object.values(await job.inputs())
      .map(textOf)
      .join(separator),
  hash: async ({ text }) => createHash('sha256').update(text).digest('hex'),
  count_words: async ({ text }) => {
    const counts = new Map<string, number>();
    for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
    return { counts: Object.fromEntries(counts) };
  },
  artifact: async (step, _, host) => ({ artifact_id: await host.artifact(step), name: step.name }),
};

const perform = (step: Step, job: Job, host: AdapterHost) =>
  (HANDLERS[step.do] as (step: Step, job: Job, host: AdapterHost) => Promise<Json | undefined>)(step, job, host);

const run = async (job: Job, host: AdapterHost): Promise<Outcome> => {
  const { steps } = parseInput(ScriptedInput, job.input, 'scripted');
  let result: Json = { text: job.goal, inputs: [...job.input_keys] };
  for (const step of steps ?? []) {
    host.signal.throwIfAborted();
    result = (await perform(step, job, host)) ?? result;
  }
  return { ended: 'end_turn', result };
};

/** A built-in agent without a model that performs `input.steps`. It is for demonstrations, tests and small glue steps. */
export const scripted: AgentAdapter = {
  id: 'scripted',
  probe: async () => [{ level: 'ok', message: 'scripted: built in' }],
  start: (job, host) => ({ done: run(job, host) }),
};
