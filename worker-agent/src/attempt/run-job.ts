import { carryOut } from './carry-out.ts';
import { completionOf, endingOf } from './ending.ts';
import { createHost, type Observations } from './adapter-host.ts';
import type { Ending, JobContext } from './job-context.ts';
import { LogSender } from '../report/log-sender.ts';
import { classify, retrying } from '../api/retry.ts';
import type { RunningJob } from './running-job.ts';
import { createWorkspace, NoWorkspace, type Workspace } from './workspace.ts';

/** How a job ended, and the clean-up to run while that is being reported to the server. */
type Done = { ending: Ending; cleanUp(): Promise<void> };

/** Runs a leased subtask. Never throws. */
export const runJob = async (ctx: JobContext, job: RunningJob): Promise<Done> => {
  let cleanUp = async () => {};
  const done = new AbortController();
  const { claimed } = job;
  const { timeout_seconds } = claimed;
  const observed: Observations = {};
  const retry = job.retry(ctx.settings.reportForMs);
  const timer = setTimeout(() => {
    if (job.stop('timed_out'))
      observed.timeoutMessage = `it took longer than its timeout_seconds, ${timeout_seconds} s, and was stopped; give the subtask more time, or less to do`;
  }, timeout_seconds * 1_000);
  try {
    // The answer to the claim may have arrived late, so the lease is checked before the work starts.
    await retrying(() => job.confirm(), retry);
    job.beginWork();
    if (!claimed.started) void reportStart(ctx, job, AbortSignal.any([job.sending, done.signal]));
    const workspace = await workspaceOf(ctx, job);
    cleanUp = workspace.remove;
    const logs = createLogs(ctx, job);
    try {
      const result = await carryOut(ctx, job, createHost(ctx, job, workspace, logs, observed), observed);
      return { ending: await completionOf(ctx, job, result, observed), cleanUp };
    } finally {
      clearTimeout(timer);
      await logs.end();
    }
  } catch (error) {
    return { ending: endingOf(ctx, job, error, observed), cleanUp };
  } finally {
    done.abort();
    clearTimeout(timer);
  }
};

/** Reports the start. The work does not wait for it: the completion of an attempt also starts it if it was not started before. */
const reportStart = async (ctx: JobContext, job: RunningJob, signal: AbortSignal): Promise<void> => {
  try {
    await ctx.api.start(job.fence, { ...job.retry(ctx.settings.reportForMs), signal });
  } catch (error) {
    if (signal.aborted) return;
    if (classify(error) === 'lease_lost') loseLease(ctx, job);
    else ctx.log('warn', 'start.failed', { subtask_id: job.claimed.subtask_id, error: (error as Error).message });
  }
};

/** Stops the job after the server refused a request because the lease is lost. */
const loseLease = (ctx: JobContext, job: RunningJob): void => {
  const { subtask_id, attempt } = job.claimed;
  if (job.stop('lost')) ctx.log('warn', 'subtask.lease-lost', { subtask_id, attempt });
};

const workspaceOf = async (ctx: JobContext, { claimed: { subtask_id, attempt } }: RunningJob): Promise<Workspace> => {
  try {
    return await createWorkspace(ctx.settings.workspaces, subtask_id, attempt, ctx.settings.keepWorkspaces);
  } catch (error) {
    ctx.spool.reportFailure(error);
    throw new NoWorkspace(error);
  }
};

const createLogs = (ctx: JobContext, job: RunningJob): LogSender =>
  new LogSender(ctx.api, job.fence, {
    capBytes: ctx.settings.maxLogBytes,
    redactor: ctx.redactor,
    signal: job.sending,
    before: () => job.confirm(),
    onLost: () => loseLease(ctx, job),
    keep: async (chunks) => void (await ctx.spool.put({ kind: 'logs', ...job.fence, chunks })),
    onDropped: (bytes) => ctx.log('warn', 'logs.dropped', { subtask_id: job.claimed.subtask_id, bytes }),
    onGivenUp: (reason) => ctx.log('warn', 'logs.given-up', { subtask_id: job.claimed.subtask_id, reason }),
  });
