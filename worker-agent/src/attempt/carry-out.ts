import type { Json } from '../../../schema/json.ts';
import type { Observations } from './adapter-host.ts';
import { createInputs } from './inputs.ts';
import type { JobContext } from './job-context.ts';
import { createResultCheck } from './check-result.ts';
import type { RunningJob } from './running-job.ts';
import { SilenceWatch } from './silence-watch.ts';
import { AgentFailure } from './agent-failure.ts';
import type { AdapterHost, AgentAdapter, Job } from '../tools/adapter.ts';
import { checkAllowed, verify } from './verify.ts';

const jobOf = (ctx: JobContext, { claimed, work }: RunningJob): Job => {
  const { inputs, lease_token: _token, lease_seconds: _seconds, started: _started, ...subtask } = claimed;
  return { ...subtask, input_keys: Object.keys(inputs), inputs: createInputs(ctx.api, claimed, work) };
};

/** Its promise rejects `ms` after the signal aborts. */
const stopDeadline = (signal: AbortSignal, ms: number) => {
  let timer: NodeJS.Timeout | undefined;
  let begin = () => {};
  const promise = new Promise<never>((_, reject) => {
    begin = () => {
      timer = setTimeout(() => reject(new Error('the tool did not stop when it was asked to')), ms);
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

type Assignment = { ctx: JobContext; job: RunningJob; work: Job; host: AdapterHost };

const runAndCheck = async (adapter: AgentAdapter, { ctx, job, work, host }: Assignment): Promise<Json> => {
  const { verify: commands, result_schema } = job.claimed;
  const check = createResultCheck(result_schema);
  await checkAllowed(ctx.settings.commands, host, commands);
  const result = await check(adapter.start(work, host), host);
  await verify(ctx.settings.commands, work, host, commands, result);
  return result;
};

/** Runs a subtask with its adapter and checks the result. Returns the result; throws when the work did not succeed. */
export const carryOut = async (ctx: JobContext, job: RunningJob, host: AdapterHost, observed: Observations): Promise<Json> => {
  const { tool, first_event_timeout_seconds, idle_timeout_seconds } = job.claimed;
  const adapter = ctx.adapters.get(tool);
  if (adapter === undefined) throw new AgentFailure('denied', `This worker has no tool ${tool}; start it with --tools ${tool}`);
  job.work.throwIfAborted();
  const deadline = stopDeadline(job.work, ctx.settings.killGraceMs * 3 + 2_000);
  const silences = {
    firstEventSeconds: first_event_timeout_seconds ?? ctx.settings.firstEventTimeoutSeconds,
    idleSeconds: idle_timeout_seconds ?? ctx.settings.idleTimeoutSeconds,
  };
  const watch = new SilenceWatch(job, silences, (message) => {
    observed.timeoutMessage = message;
  });
  const emit: AdapterHost['emit'] = (event) => {
    watch.activity();
    host.emit(event);
  };
  try {
    return await Promise.race([runAndCheck(adapter, { ctx, job, work: jobOf(ctx, job), host: { ...host, emit } }), deadline.promise]);
  } finally {
    watch.end();
    deadline.end();
  }
};
