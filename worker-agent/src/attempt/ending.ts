import { ApiError } from '../../../schema/client/client.ts';
import { type Json, jsonBytes, LIMITS } from '../../../schema/json.ts';
import type { Usage } from '../tools/adapter.ts';
import { attachArtifact } from '../report/artifacts.ts';
import { cleanJson, clip, depthOf } from '../report/clean.ts';
import type { Observations } from './adapter-host.ts';
import type { Ending, JobContext } from './job-context.ts';
import { classify, StoreUnavailable, Unconfirmed } from '../api/retry.ts';
import type { RunningJob } from './running-job.ts';
import { AgentFailure } from './agent-failure.ts';
import { NoWorkspace } from './workspace.ts';

// The objects and arrays around the result in the request are levels too.
const DEEPEST_RESULT = LIMITS.json_depth - 4;

const usageOf = ({ redactor }: JobContext, { usage }: Observations) =>
  usage === undefined ? {} : { usage: redactor.json(cleanJson(usage)) as Usage };

/** Redacts before it cuts, since half a secret would not be recognized. */
const redacted = ({ redactor }: JobContext, message: string): string => clip(redactor.text(message), LIMITS.message_characters);

/** The ending of work that succeeded; a result that is too large for the request is sent as an artifact. */
export const completionOf = async (ctx: JobContext, job: RunningJob, value: Json, observed: Observations): Promise<Ending> => {
  if (job.reason !== null) return stopped(ctx, job, observed);
  const result = ctx.redactor.json(cleanJson(value));
  const bytes = jsonBytes(result);
  const { maxResultBytes } = ctx.settings;
  if (bytes > maxResultBytes)
    throw new AgentFailure(
      'tool_error',
      `The result has ${bytes} bytes as JSON; this worker sends at most ${maxResultBytes} (--max-result-bytes)`,
    );
  if (bytes <= LIMITS.result_bytes && depthOf(result) <= DEEPEST_RESULT) return { kind: 'completed', result, ...usageOf(ctx, observed) };
  const file = { name: 'result.json', content: JSON.stringify(result), content_type: 'application/json' };
  const result_artifact_id = await attachArtifact(ctx, job, file);
  return { kind: 'completed', result_artifact_id, ...usageOf(ctx, observed) };
};

/** The reason for releasing work that was stopped because its lease may have expired. */
const FENCED = 'its lease may have expired: the machine slept, the worker was blocked, or the platform did not answer';

const stopped = (ctx: JobContext, job: RunningJob, observed: Observations): Ending => {
  if (job.reason === 'timed_out')
    return {
      kind: 'failed',
      failure_class: 'timed_out',
      message: observed.timeoutMessage ?? 'it took too long',
      ...usageOf(ctx, observed),
    };
  if (job.reason === 'fenced') return { kind: 'released', reason: FENCED, code: 'lease_at_risk' };
  if (job.reason === 'released') return { kind: 'released', reason: 'the worker was stopped' };
  return { kind: 'dropped', reason: job.reason === 'revoked' ? 'the worker was removed' : 'the lease was lost' };
};

/** The ending of work that failed or was stopped. */
export const endingOf = (ctx: JobContext, job: RunningJob, error: unknown, observed: Observations): Ending => {
  if (job.reason !== null) return stopped(ctx, job, observed);
  if (error instanceof AgentFailure)
    return { kind: 'failed', failure_class: error.failureClass, message: redacted(ctx, error.message), ...usageOf(ctx, observed) };
  if (error instanceof StoreUnavailable)
    return { kind: 'failed', failure_class: 'tool_error', message: redacted(ctx, error.message), ...usageOf(ctx, observed) };
  if (error instanceof NoWorkspace) return { kind: 'released', reason: clip(ctx.redactor.text(error.message), LIMITS.reason_characters) };
  if (error instanceof Unconfirmed) return { kind: 'released', reason: error.message };
  if (error instanceof ApiError) return endingOfApiError(ctx, error);
  ctx.log('error', 'tool.crashed', {
    subtask_id: job.claimed.subtask_id,
    tool: job.claimed.tool,
    error: String((error as Error)?.stack ?? error),
  });
  return {
    kind: 'failed',
    failure_class: 'tool_error',
    message: redacted(ctx, `The tool crashed: ${(error as Error)?.message ?? error}`),
    ...usageOf(ctx, observed),
  };
};

const endingOfApiError = (ctx: JobContext, error: ApiError): Ending => {
  const verdict = classify(error);
  if (verdict === 'revoked') ctx.onRevoked(error);
  if (verdict === 'revoked' || verdict === 'lease_lost') return { kind: 'dropped', reason: error.code };
  if (verdict === 'retryable')
    return { kind: 'released', reason: clip(`the server did not answer: ${error.message}`, LIMITS.reason_characters) };
  return { kind: 'failed', failure_class: 'tool_error', message: clip(`The server refused: ${error.message}`, LIMITS.message_characters) };
};
