import { uploadArtifact } from './artifacts.ts';
import type { JobContext } from './job-context.ts';
import type { LogSender } from './log-sender.ts';
import { forAtMost } from './retry.ts';
import type { RunningJob } from './running-job.ts';
import { runCommand } from './tools/spawn.ts';
import type { Host } from './tools/tool.ts';

/** The environment variable by which stray processes of an attempt are known. */
const MARKER = 'MAW_WORKSPACE';

/** What a tool may use of the worker while it carries out one job. */
export const createHost = (ctx: JobContext, job: RunningJob, workspace: string, logs: LogSender): Host => ({
  signal: job.work,
  workspace,
  log: (stream, text) => logs.write(stream, text),
  progress: (progress) => job.report(progress),
  spawn: (file, args, options) => {
    const env = { ...options.env, [MARKER]: workspace };
    const ladder = { marker: `${MARKER}=${workspace}`, graceMs: ctx.settings.killGraceMs, signal: job.work };
    return runCommand(file, args, { ...options, env }, ladder);
  },
  artifact: (file) => uploadArtifact(ctx.api, job.fence, file, { signal: job.sending, again: forAtMost(ctx.settings.reportForMs) }),
});
