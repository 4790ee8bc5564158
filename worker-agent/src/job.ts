import { ApiError } from '../../schema/client.ts';
import { jsonBytes, LIMITS } from '../../schema/json.ts';
import type { Usage } from './api.ts';
import { uploadArtifact } from './artifacts.ts';
import { cleanJson, clip, depthOf } from './clean.ts';
import { createHost } from './host.ts';
import { createInputs } from './inputs.ts';
import type { Ending, JobContext } from './job-context.ts';
import { LogSender } from './log-sender.ts';
import { classify, forAtMost, type RetryOptions } from './retry.ts';
import type { RunningJob } from './running-job.ts';
import { type Host, type Job, type Outcome, ToolFailure } from './tools/tool.ts';
import { createWorkspace } from './workspace.ts';

// Objects and arrays around the result in the request count as levels too.
const DEEPEST_RESULT = LIMITS.json_depth - 4;
const MESSAGE_CHARACTERS = 4_000;

const retryOf = (ctx: JobContext, job: RunningJob): RetryOptions & { signal: AbortSignal } => ({
  signal: job.sending,
  again: forAtMost(ctx.settings.reportForMs),
});

/** Carries out a leased subtask; answers how it ended, and never throws. */
export const runJob = async (ctx: JobContext, job: RunningJob): Promise<Ending> => {
  const { claimed } = job;
  const { subtask_id, attempt, timeout_seconds } = claimed;
  const timer = setTimeout(() => job.stop('timed_out'), timeout_seconds * 1_000);
  try {
    if (!claimed.started) await ctx.api.start(job.fence, retryOf(ctx, job));
    const workspace = await createWorkspace(ctx.settings.stateDir, subtask_id, attempt, ctx.settings.keepWorkspaces);
    const logs = createLogs(ctx, job);
    try {
      const outcome = await carryOut(ctx, job, createHost(ctx, job, workspace.path, logs));
      return await completion(ctx, job, outcome);
    } finally {
      clearTimeout(timer);
      await logs.end();
      await workspace.remove();
    }
  } catch (error) {
    return endingOf(ctx, job, error);
  } finally {
    clearTimeout(timer);
  }
};

const createLogs = (ctx: JobContext, job: RunningJob): LogSender =>
  new LogSender(ctx.api, job.fence, {
    capBytes: ctx.settings.maxLogBytes,
    signal: job.sending,
    onLost: () => void job.stop('lost'),
    onGivenUp: (reason) => ctx.journal('warn', 'logs.given-up', { subtask_id: job.claimed.subtask_id, reason }),
  });

const jobOf = (ctx: JobContext, job: RunningJob): Job => {
  const { subtask_id, task_id, key, kind, goal, task_goal, attempt, input, inputs } = job.claimed;
  const fetchInputs = createInputs(ctx.api, job.claimed, job.work);
  return { subtask_id, task_id, key, kind, goal, task_goal, attempt, input, input_keys: Object.keys(inputs), inputs: fetchInputs };
};

/** Resolves when the signal has been aborted for `ms`. */
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

const carryOut = async (ctx: JobContext, job: RunningJob, host: Host): Promise<Outcome> => {
  const tool = ctx.tools.get(job.claimed.tool);
  if (tool === undefined)
    throw new ToolFailure('denied', `This worker has no tool ${job.claimed.tool}; start it with --tools ${job.claimed.tool}`);
  job.work.throwIfAborted();
  const limit = overdue(job.work, ctx.settings.killGraceMs * 3 + 2_000);
  try {
    return await Promise.race([tool.run(jobOf(ctx, job), host), limit.promise]);
  } finally {
    limit.end();
  }
};

const completion = async (ctx: JobContext, job: RunningJob, outcome: Outcome): Promise<Ending> => {
  if (job.reason !== null) return stopped(job);
  const result = cleanJson(outcome.result);
  const usage = outcome.usage === undefined ? {} : { usage: cleanJson(outcome.usage) as Usage };
  const bytes = jsonBytes(result);
  const { maxResultBytes } = ctx.settings;
  if (bytes > maxResultBytes)
    throw new ToolFailure(
      'tool_error',
      `The result has ${bytes} bytes as JSON; this worker sends at most ${maxResultBytes} (--max-result-bytes)`,
    );
  if (bytes <= LIMITS.result_bytes && depthOf(result) <= DEEPEST_RESULT) return { kind: 'completed', result, ...usage };
  const file = { name: 'result.json', content: JSON.stringify(result), content_type: 'application/json' };
  const result_artifact_id = await uploadArtifact(ctx.api, job.fence, file, retryOf(ctx, job));
  return { kind: 'completed', result_artifact_id, ...usage };
};

const stopped = (job: RunningJob): Ending => {
  const { timeout_seconds } = job.claimed;
  if (job.reason === 'timed_out')
    return { kind: 'failed', failure_class: 'timed_out', message: `it took longer than ${timeout_seconds} s and was stopped` };
  if (job.reason === 'released') return { kind: 'released', reason: 'the worker was told to stop' };
  return { kind: 'dropped', reason: job.reason === 'revoked' ? 'the worker was removed' : 'the lease was lost' };
};

const endingOf = (ctx: JobContext, job: RunningJob, error: unknown): Ending => {
  if (job.reason !== null) return stopped(job);
  if (error instanceof ToolFailure) {
    const usage = error.usage === undefined ? {} : { usage: error.usage };
    return { kind: 'failed', failure_class: error.failureClass, message: clip(error.message, MESSAGE_CHARACTERS), ...usage };
  }
  if (error instanceof ApiError) return endingOfRefusal(ctx, error);
  ctx.journal('error', 'tool.broke', {
    subtask_id: job.claimed.subtask_id,
    tool: job.claimed.tool,
    error: String((error as Error)?.stack ?? error),
  });
  return {
    kind: 'failed',
    failure_class: 'tool_error',
    message: clip(`The tool broke: ${(error as Error)?.message ?? error}`, MESSAGE_CHARACTERS),
  };
};

const endingOfRefusal = (ctx: JobContext, error: ApiError): Ending => {
  const verdict = classify(error);
  if (verdict === 'revoked') ctx.onRevoked(error);
  if (verdict === 'revoked' || verdict === 'lease_lost') return { kind: 'dropped', reason: error.code };
  if (verdict === 'retryable') return { kind: 'released', reason: clip(`the server did not answer: ${error.message}`, 500) };
  return { kind: 'failed', failure_class: 'tool_error', message: clip(`The server refused: ${error.message}`, MESSAGE_CHARACTERS) };
};
