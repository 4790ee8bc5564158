import type { Json } from '../../schema/json.ts';
import type { FailureClass } from '../../schema/task.ts';
import { createInputs } from './inputs.ts';
import type { JobContext } from './job-context.ts';
import type { RunningJob } from './running-job.ts';
import { type AdapterHost, AgentFailure, type AgentRun, type Job, type Outcome } from './tools/adapter.ts';

const jobOf = (ctx: JobContext, job: RunningJob): Job => {
  const { subtask_id, task_id, key, kind, goal, task_goal, attempt, input, inputs } = job.claimed;
  const fetchInputs = createInputs(ctx.api, job.claimed, job.work);
  return { subtask_id, task_id, key, kind, goal, task_goal, attempt, input, input_keys: Object.keys(inputs), inputs: fetchInputs };
};

/** Rejects when the signal has been aborted for `ms`. */
const overdue = (signal: AbortSignal, ms: number) => {
  let timer: NodeJS.Timeout | undefined;
  let begin = () => {};
  const promise = new Promise<never>((_, reject) => {
    begin = () => {
      timer = setTimeout(() => reject(new Error('the tool did not stop when it was told to')), ms);
    };
  });
  signal.addEventListener('abort', begin, { once: true });
  if (signal.aborted) begin();
  return {
    promise,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', begin);
    },
  };
};

const UNFINISHED: Record<Exclude<Outcome['ended'], 'end_turn'>, [FailureClass, string]> = {
  max_tokens: ['budget', 'The agent was cut off: its answer was longer than its model allows'],
  max_turns: ['budget', 'The agent did not come to an end within the turns that it has'],
  refusal: ['denied', 'The agent refused the work'],
};

/** The result of a turn that ended well. Nothing said is no success, whatever the agent thinks of it. */
const resultOf = (outcome: Outcome): Json => {
  if (outcome.ended !== 'end_turn') throw new AgentFailure(...UNFINISHED[outcome.ended]);
  if (outcome.result === undefined) throw new AgentFailure('invalid_result', 'The agent ended its turn without a result');
  return outcome.result;
};

const succeeded = async (run: AgentRun): Promise<Json> => resultOf(await run.done);

/** Has a subtask carried out by its adapter, and decides whether that was a success; answers the result. */
export const carryOut = async (ctx: JobContext, job: RunningJob, host: AdapterHost): Promise<Json> => {
  const { tool } = job.claimed;
  const adapter = ctx.adapters.get(tool);
  if (adapter === undefined) throw new AgentFailure('denied', `This worker has no tool ${tool}; start it with --tools ${tool}`);
  job.work.throwIfAborted();
  const limit = overdue(job.work, ctx.settings.killGraceMs * 3 + 2_000);
  try {
    return await Promise.race([succeeded(adapter.start(jobOf(ctx, job), host)), limit.promise]);
  } finally {
    limit.end();
  }
};
